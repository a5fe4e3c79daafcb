"""Debian's Postfix and Dovecot as a peer of the mail benchmark: SMTP in, LMTP, a maildir each.

Both run from one temporary folder with configurations of their own; nothing of the system's is
used but their programs and accounts, for which root is needed. Their own defaults decide what is
synced to the disk.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blackthorn.demo.deployment import free_ports

DOMAIN = "acme.example"
NAME = "Postfix+Dovecot"
START_SECONDS = 20.0
_POLL_SECONDS = 0.02

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.{domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = reject_unauth_destination
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = static:all
virtual_transport = lmtp:unix:lmtp
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
alias_maps =
"""

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

_DOVECOT = """\
protocols = lmtp
base_dir = {folder}/dovecot
state_dir = {folder}/dovecot
log_path = {folder}/dovecot.log
ssl = no
mail_location = maildir:{folder}/mail/%n
first_valid_uid = 1
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%n
}}
service lmtp {{
  unix_listener {folder}/queue/lmtp {{
    mode = 0666
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """The running pair; `port` is SMTP's."""

    folder: Path
    port: int

    def wait_delivered(self, mails: int, seconds: float) -> None:
        """Wait until Postfix has logged so many deliveries. Raises RuntimeError.

        Only what is new in the log is read: looking into the maildirs would slow down their writer.
        """
        until, delivered, rest = time.monotonic() + seconds, 0, b""
        with (self.folder / "mail.log").open("rb") as log:
            while delivered < mails:
                *lines, rest = (rest + log.read()).split(b"\n")
                delivered += sum(b" status=sent " in line for line in lines)
                if time.monotonic() > until:
                    raise RuntimeError(f"Postfix delivered {delivered} of {mails} mails in time")
                time.sleep(_POLL_SECONDS)

    def stored(self) -> int:
        """Mails in the maildirs."""
        return sum(1 for _ in self.folder.glob("mail/*/new/*"))

    def cpu_seconds(self) -> float:
        """CPU time of all of their processes, of those that have ended too."""
        roots = {self._pid("queue/pid/master.pid"), self._pid("dovecot/master.pid")}
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if roots & {int(stat.parent.name), int(fields[1])}:
                ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def _pid(self, name: str) -> int:
        return int((self.folder / name).read_text())


def available() -> bool:
    """Whether both are installed and this account may start them."""
    return os.geteuid() == 0 and all(map(shutil.which, ("postfix", "dovecot")))


@contextmanager
def running() -> Iterator[Peer]:
    """Start both in a new folder, and end them."""
    folder = Path(tempfile.mkdtemp(prefix="blackthorn-bench-peer-"))
    try:
        folder.chmod(0o755)
        peer = Peer(folder, free_ports(1)[0])
        _configure(peer)
        dovecot = ["dovecot", "-c", str(folder / "dovecot.conf")]
        postfix = ["postfix", "-c", str(folder)]
        _run(dovecot)
        try:
            _run([*postfix, "start"])
            try:
                _wait(peer.port)
                yield peer
            finally:
                _run([*postfix, "abort"])
        finally:
            _run([*dovecot, "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str]) -> None:
    """Their daemons would hold a pipe open; their words are in the folder's logs."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _configure(peer: Peer) -> None:
    folder, mail = peer.folder, pwd.getpwnam("mail")
    told = {"folder": folder, "domain": DOMAIN, "port": peer.port}
    (folder / "main.cf").write_text(_MAIN.format(**told))
    (folder / "master.cf").write_text(_MASTER.format(**told))
    whose = {"uid": mail.pw_uid, "gid": mail.pw_gid}
    (folder / "dovecot.conf").write_text(_DOVECOT.format(**told, **whose))
    for name in ("queue", "data", "mail", "dovecot"):
        (folder / name).mkdir()
    os.chown(folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
    os.chown(folder / "mail", mail.pw_uid, mail.pw_gid)


def _wait(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 1.0) as connection:
                if connection.recv(4) == b"220 ":
                    return
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(0.1)
