"""Link a second device with the real commands `device add` and `device link`, side by side."""

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from blackthorn.demo.deployment import COMMAND_SECONDS, Person, StepFailedError, command_line


@dataclass(frozen=True, slots=True)
class _Running:
    """One of the two commands, which prints one JSON object a line."""

    name: str
    process: "subprocess.Popen[str]"

    @classmethod
    def start(cls, person: Person, *arguments: str) -> "_Running":
        process = subprocess.Popen(
            command_line(*arguments, "--json"),
            env=person.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return cls(" ".join(arguments[:2]), process)

    def read(self, key: str) -> Any:
        """The next printed value of `key`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            printed = json.loads(line)
            if key in printed:
                return printed[key]
        raise self._failed()

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def end(self) -> None:
        if self.process.wait(COMMAND_SECONDS):
            raise self._failed()

    def _failed(self) -> StepFailedError:
        self.process.kill()
        _, errors = self.process.communicate()
        return StepFailedError(f"`blackthorn {self.name} …` failed", errors.strip())


def link_device(live: Person, new: Person) -> str:
    """Make `new` another device of `live`'s user; its id in hex. Raises StepFailedError."""
    adding = _Running.start(live, "device", "add")
    linking = _Running.start(new, "device", "link", adding.read("url"))
    try:
        adding.type(linking.read("digits"))
        linking.type("yes")
        added: str = adding.read("id")
        linking.read("linked")
        adding.end()
        linking.end()
    finally:
        for running in (adding, linking):
            running.process.kill()
            running.process.communicate()
    return added
