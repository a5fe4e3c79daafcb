"""Bytes of a hostile mail to text that is safe on a terminal, in linear time. Never raises.

No control characters, escape sequences or hidden characters; direction marks become visible.
Charsets are listed, since Python would also decode punycode (quadratic) and the like.
"""

import codecs
import quopri

from blackthorn.mail import limits
from blackthorn.mail.mime.fields import parameter
from blackthorn.mail.mime.transfer import decode_base64
from blackthorn.wire.printable import TABLE

# fmt: off
_CHARSETS = frozenset((
    "ascii", "utf-8", "utf-16", "utf-16-be", "utf-16-le", "utf-7", "gb2312", "gbk", "gb18030",
    "big5", "big5hkscs", "shift_jis", "cp932", "euc_jp", "iso2022_jp", "iso2022_jp_1",
    "iso2022_jp_2", "iso2022_jp_3", "iso2022_kr", "euc_kr", "cp949", "johab", "koi8-r",
    "koi8-u", "koi8-t", "tis-620", "cp437", "cp850", "cp852", "cp855", "cp858", "cp862",
    "cp866", "cp874", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256",
    "cp1257", "cp1258", "mac-roman", "mac-cyrillic", "iso8859-1", "iso8859-2", "iso8859-3",
    "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "iso8859-9", "iso8859-10",
    "iso8859-11", "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16",
))
# fmt: on
"""Canonical Python names of the charsets that mail is decoded from."""

_LARGER = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
}
"""Charset → the one with more letters that senders mean by it."""


def safe_text(text: str, limit: int = limits.MAX_RENDERED_CHARS) -> str:
    """Lines for a terminal, from at most `limit` characters."""
    cut = text[:limit].replace("\r\n", "\n").replace("\r", "\n").translate(TABLE)
    return cut + "\n[… cut here]" if len(text) > limit else cut


def safe_line(text: str, limit: int = limits.MAX_RENDERED_HEADER_CHARS) -> str:
    """One line for a terminal, from at most `limit` characters."""
    line = " ".join(text[:limit].translate(TABLE).split())
    return line + " …" if len(text) > limit else line


def decode_charset(data: bytes, charset: bytes) -> str:
    """`data` as text. An unknown or undeclared charset is read as UTF-8, else as windows-1252.

    Bytes that break the declared charset are replaced; a text without one valid sequence of a
    declared UTF-8 is windows-1252.
    """
    name = charset_name(charset)
    if not name and data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        name = "utf-16"
    if name not in ("", "utf-8"):
        return data.decode(name, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        if name and not data.decode("utf-8", "ignore").isascii():
            return data.decode("utf-8", "replace")
        return data.decode("cp1252", "replace")


def charset_name(charset: bytes) -> str:
    """Python's name of a charset that mail is decoded from; "" for US-ASCII and others.

    Latin-1 and its like are read as the larger sets that senders mean by them (WHATWG, 4.2).
    """
    try:
        name = codecs.lookup(charset.decode("ascii").strip().strip("'\"")).name
    except (LookupError, ValueError):
        return ""
    return _LARGER.get(name, name) if name in _CHARSETS and name != "ascii" else ""


def decode_header(value: bytes) -> str:
    """An unstructured field, encoded words (RFC 2047) decoded; not yet safe."""
    pieces: list[str] = []
    pending, pending_charset = b"", b""
    position, size = 0, min(len(value), limits.MAX_MAIL_HEADER_BYTES)
    value = value[:size]
    while position < size:
        word = _encoded_word(value, position)
        if word is None:
            start = value.find(b"=?", position + 1)
            start = size if start < 0 else start
            plain = value[position:start]
            following = start < size and _encoded_word(value, start) is not None
            if pending and following and not plain.strip(b" \t"):
                position = start
                continue
            pieces += decode_charset(pending, pending_charset), decode_charset(plain, b"")
            pending, position = b"", start
            continue
        charset, data, position = word
        if charset != pending_charset:
            pieces.append(decode_charset(pending, pending_charset))
            pending = b""
        pending, pending_charset = pending + data, charset
    pieces.append(decode_charset(pending, pending_charset))
    return "".join(pieces)


def _encoded_word(value: bytes, start: int) -> tuple[bytes, bytes, int] | None:
    """Charset, decoded bytes and end of the encoded word at `start`, if any."""
    if not value.startswith(b"=?", start):
        return None
    head = value[start + 2 : start + 80].split(b"?", 2)
    if len(head) < 3 or head[1].lower() not in (b"b", b"q"):
        return None
    begin = start + 2 + len(head[0]) + 1 + len(head[1]) + 1
    end = value.find(b"?=", begin, begin + limits.MAX_RENDERED_HEADER_CHARS)
    if end < 0:
        return None
    text = value[begin:end]
    if head[1].lower() == b"b":
        data = decode_base64(text)
    else:
        data = quopri.decodestring(text.replace(b"_", b" "))
    return head[0].partition(b"*")[0].lower(), data, end + 2


def decode_parameter(parameters: dict[bytes, bytes], name: bytes) -> str:
    """A parameter in any form: plain, encoded word, RFC 2231; "" if absent."""
    charset, value, encoded = parameter(parameters, name)
    return decode_charset(value, charset) if encoded else decode_header(value)
