"""An enterprise whose server and devices have clocks of their own, by Debian's libfaketime."""

import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from blackthorn.demo.deployment import Deployment, Person, command_line, free_ports

DAY = 86_400
MINUTE = 60


def library() -> str:
    """The library that fakes the time of a process."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.fail("libfaketime is missing: run `make faketime`")
    return str(found[0])


class FakedTime(Deployment):
    """Time passes for all when the test says so; a device's clock may be wrong besides."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._library = library()
        self._passed = 0
        self._witness: subprocess.Popen[bytes] | None = None
        self._people: list[tuple[Person, int]] = []

    def initialise(self) -> None:
        """A server whose witness is a process of its own: an embedded one has no faked clock."""
        super().initialise()
        folder, (port,) = self.root / "witness", free_ports(1)
        log = self.administer("ledger", "policy", str(self.directory)).split("\n")[0]
        vkey = self.administer(
            "witness", "init", str(folder), "--name", "witness.example/w"
        ).strip()
        self.administer("witness", "add-log", str(folder), log.split()[1])
        self._witness_command = command_line("witness", "serve", str(folder), "--port", str(port))
        policy = f"{log}\nwitness w {vkey} http://127.0.0.1:{port}\nquorum w\n"
        (self.directory / "policy.txt").write_text(policy)

    def start_server(self) -> None:
        environment = self.server_environment()
        with (self.logs / "witness.log").open("ab") as log:
            self._witness = subprocess.Popen(
                self._witness_command, env=environment, stdin=subprocess.DEVNULL, stderr=log
            )
        super().start_server()

    def kill_server(self) -> None:
        super().kill_server()
        if self._witness is not None:
            self._witness.kill()
            self._witness.wait()
            self._witness = None

    def server_environment(self) -> dict[str, str]:
        faked = super().server_environment() | self._clock(0)
        return faked | {"BLACKTHORN_LEDGER_WITNESS": "none"}

    def _serves(self) -> bool:
        """Also when it only doubts its clock, which was off for more than two weeks."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ops_port}/readyz") as answer:
                return answer.status == 200 and self._published()
        except urllib.error.HTTPError as error:
            with error:
                problems = json.load(error)["problems"]
            known = all(problem.startswith("the clock has jumped") for problem in problems)
            return known and self._published()
        except OSError:
            return False

    def _published(self) -> bool:
        """Whether the ledger has an epoch of this day."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ops_port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        age = next(line for line in lines if line.startswith("blackthorn_ledger_age_seconds "))
        return 0 <= float(age.split()[1]) < 600

    def _clock(self, ahead: int) -> dict[str, str]:
        return {
            "LD_PRELOAD": self._library,
            "FAKETIME": f"{self._passed + ahead:+d}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
        }

    def person(self, name: str, passphrase: str | None = None, ahead: int = 0) -> Person:
        """A person whose device's clock is so many seconds ahead."""
        made = super().person(name, passphrase)
        self._people.append((made, ahead))
        made.environment.update(self._clock(ahead))
        return made

    def newcomer(self, name: str, ahead: int = 0) -> Person:
        """A new user, whose first device is activated now."""
        code = self.add_user(name)
        person = self.person(name, ahead=ahead)
        person.run("activate", code["url"])
        return person

    def set_right(self, person: Person) -> None:
        """Somebody sets the device's clock."""
        self._people = [(each, 0 if each is person else ahead) for each, ahead in self._people]
        person.environment.update(self._clock(0))

    def day(self, number: int) -> None:
        """The server is switched off, and on again on this day."""
        self.wait_until(number * DAY)

    def later(self, seconds: int) -> None:
        """The server is on again later; witnesses believe no clock that jumps under them."""
        self.wait_until(self._passed + seconds)

    def wait_until(self, passed: int) -> None:
        self.stop_server()
        self.kill_server()
        self._passed = passed
        for person, ahead in self._people:
            person.environment.update(self._clock(ahead))
        self.start_server()
