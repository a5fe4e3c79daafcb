"""The content of S/MIME messages (RFC 8551, 3.5; CMS, RFC 5652), parsed by asn1crypto.

Never here: checking a signature. What is returned may be by anyone.
"""

from dataclasses import dataclass

from asn1crypto.cms import ContentInfo


@dataclass(frozen=True, slots=True)
class SmimeContent:
    """`kind`: "signed_data", "enveloped_data" and so on; `content`: a MIME entity, if readable."""

    kind: str
    content: bytes | None


def read_smime(data: bytes) -> SmimeContent | None:
    """The content of an application/pkcs7-mime part; None when it is damaged. Never raises."""
    try:
        info = ContentInfo.load(data)
        kind = str(info["content_type"].native)
        if kind != "signed_data":
            return SmimeContent(kind, None)
        inner = info["content"]["encap_content_info"]["content"]
        value = inner.contents if inner.native is None else inner.native
    except Exception:  # asn1crypto raises many kinds for what is no CMS
        return None
    return SmimeContent(kind, value if isinstance(value, bytes) and value else None)
