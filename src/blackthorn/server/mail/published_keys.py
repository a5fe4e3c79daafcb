"""Which certificate of a user the Web Key Directory gives: the one for other programs, else theirs.

Nobody outside knows the identity chain; what they get is pinned by them on first use.
"""

from dataclasses import dataclass

from blackthorn.errors import DecodeError
from blackthorn.mail.pgp.wkd import local_part_hash
from blackthorn.ports.enterprise import UserRecord
from blackthorn.ports.store import Done, unless_failed
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.markets.exit_rules import ExitRules
from blackthorn.wire.address import parse_address, parse_domain


@dataclass(frozen=True, slots=True)
class PublishedKeys:
    """Certificates of the users of the mail domain `domain` (lower case)."""

    domain: str
    enterprise: EnterpriseCache
    exits: ExitRules | None = None

    def find(self, domain: str, name: str, local_part: str, done: Done[bytes | None]) -> None:
        """The certificate of an address by its hash and local part; None without.

        `domain` is empty for the direct method.
        """
        try:
            ours = not domain or parse_domain(domain) == self.domain
            address = parse_address(f"{local_part}@{self.domain}")
        except DecodeError:
            ours = False
        if not ours or local_part_hash(local_part) != name:
            done(None)
            return

        def loaded(user: UserRecord | None) -> None:
            gone = self.exits is not None and self.exits.mail_stop(address) is not None
            done(None if user is None or gone else user.compatible or user.certificate)

        self.enterprise.load_user(address, unless_failed(done, loaded))
