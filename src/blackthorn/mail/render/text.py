"""Bytes of a hostile mail to text that is safe on a terminal, in linear time. Never raises.

No control characters, escape sequences or hidden characters; direction marks become visible.
Charsets are listed, since Python would also decode punycode (quadratic) and the like.
"""

import base64
import binascii
import codecs
import quopri
from urllib.parse import unquote_to_bytes

from blackthorn.mail import limits
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


def safe_text(text: str, limit: int = limits.MAX_RENDERED_CHARS) -> str:
    """Lines for a terminal, from at most `limit` characters."""
    cut = text[:limit].replace("\r\n", "\n").replace("\r", "\n").translate(TABLE)
    return cut + "\n[… cut here]" if len(text) > limit else cut


def safe_line(text: str, limit: int = limits.MAX_RENDERED_HEADER_CHARS) -> str:
    """One line for a terminal, from at most `limit` characters."""
    line = " ".join(text[:limit].translate(TABLE).split())
    return line + " …" if len(text) > limit else line


def decode_charset(data: bytes, charset: bytes) -> str:
    """`data` as text; an unknown charset is read as UTF-8, else as cp1252."""
    try:
        name = codecs.lookup(charset.decode("ascii").strip().strip("'\"")).name
        if name in _CHARSETS and name != "ascii":
            return data.decode(name, "replace")
    except (LookupError, ValueError):
        pass
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def decode_transfer(body: bytes, encoding: bytes) -> bytes:
    """The body with its Content-Transfer-Encoding removed (RFC 2045, 6), if possible."""
    if encoding == b"base64":
        return _base64(body)
    if encoding == b"quoted-printable":
        return quopri.decodestring(body)
    return body


def _base64(data: bytes) -> bytes:
    """Ignores other characters and cuts a broken end."""
    clean = data.translate(None, b" \t\r\n").partition(b"=")[0]
    try:
        clean = clean[: len(clean) // 4 * 4 + (len(clean) % 4 if len(clean) % 4 != 1 else 0)]
        return base64.b64decode(clean + b"=" * (-len(clean) % 4))
    except binascii.Error:
        return b""


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
            pieces += decode_charset(pending, pending_charset), decode_charset(plain, b"utf-8")
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
        data = _base64(text)
    else:
        data = quopri.decodestring(text.replace(b"_", b" "))
    return head[0].partition(b"*")[0].lower(), data, end + 2


def decode_parameter(parameters: dict[bytes, bytes], name: bytes) -> str:
    """A parameter in any form: plain, encoded word, RFC 2231; "" if absent."""
    if (plain := parameters.get(name)) is not None:
        return decode_header(plain)
    if (extended := parameters.get(name + b"*")) is not None:
        charset, _, rest = extended.partition(b"'")
        return decode_charset(unquote_to_bytes(rest.partition(b"'")[2]), charset)
    pieces: list[bytes] = []
    charset = b"utf-8"
    for index in range(limits.MAX_MIME_PARAMETERS):
        key = name + b"*%d" % index
        if (piece := parameters.get(key)) is None:
            encoded = parameters.get(key + b"*")
            if encoded is None:
                break
            if index == 0 and encoded.count(b"'") >= 2:
                charset, _, encoded = encoded.split(b"'", 2)
            piece = unquote_to_bytes(encoded)
        pieces.append(piece)
    return decode_charset(b"".join(pieces), charset)
