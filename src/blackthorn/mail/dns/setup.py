"""What the records of a domain follow from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A key that outgoing mail is or was signed with (RFC 6376, 8463)."""

    selector: str
    kind: str
    """`rsa` or `ed25519`."""
    public: str
    """Base64, as in the record's tag `p`."""
    retired: bool = False
    """It signs no more, and mail that it has signed is still on its way."""

    @property
    def record(self) -> str:
        """The text of its TXT record (RFC 6376, 3.6.1)."""
        return f"v=DKIM1; k={self.kind}; p={self.public}"


@dataclass(frozen=True, slots=True)
class Setup:
    """One server and its mail domain. Names are lower case, without a last dot."""

    domain: str
    host: str
    """The name of the server: that of its MX record and of its certificate."""
    addresses: tuple[str, ...] = ()
    """Its public IP addresses as text, if they are known."""
    names: tuple[str, ...] = ()
    """The names of its certificate."""
    trusted: bool = False
    """Whether an authority vouches for the certificate."""
    key_hash: str = ""
    """SHA-256 of the certificate's public key, hexadecimal, for TLSA."""
    dkim: tuple[DkimKey, ...] = ()
    sts_mode: str = "testing"
    sts_seconds: int = 604_800
    issuer: str = ""
    """The name of the certificate's authority in CAA records (RFC 8659), if it is known."""
    submission: tuple[tuple[str, int], ...] = ()
    """`submission` or `submissions` (RFC 6409, 8314), and its port."""

    @property
    def postmaster(self) -> str:
        return f"postmaster@{self.domain}"

    @property
    def sts_host(self) -> str:
        return f"mta-sts.{self.domain}"

    @property
    def wkd_host(self) -> str:
        return f"openpgpkey.{self.domain}"
