"""Records of dnspython as those of `ports.dns`."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from dns.name import Name
from dns.rdatatype import RdataType

from blackthorn.ports.dns import A, Aaaa, Caa, Cname, Mx, Ptr, Srv, Tlsa, Txt

TYPES: Final[dict[type[Any], RdataType]] = {
    A: RdataType.A,
    Aaaa: RdataType.AAAA,
    Mx: RdataType.MX,
    Txt: RdataType.TXT,
    Ptr: RdataType.PTR,
    Cname: RdataType.CNAME,
    Srv: RdataType.SRV,
    Tlsa: RdataType.TLSA,
    Caa: RdataType.CAA,
}


def host(name: Name) -> str:
    """A name in lower case without its last dot; unusual bytes are escaped (RFC 1035, 5.1)."""
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")


READ: Final[dict[type[Any], Callable[[Any], Any]]] = {
    A: lambda found: A(IPv4Address(found.address)),
    Aaaa: lambda found: Aaaa(IPv6Address(found.address)),
    Mx: lambda found: Mx(found.preference, host(found.exchange)),
    Txt: lambda found: Txt(b"".join(found.strings)),
    Ptr: lambda found: Ptr(host(found.target)),
    Cname: lambda found: Cname(host(found.target)),
    Srv: lambda found: Srv(found.priority, found.weight, found.port, host(found.target)),
    Tlsa: lambda found: Tlsa(found.usage, found.selector, found.mtype, found.cert),
    Caa: lambda found: Caa(found.flags, found.tag.decode("ascii", "replace"), found.value),
}
"""Record → how it is read from dnspython's."""
