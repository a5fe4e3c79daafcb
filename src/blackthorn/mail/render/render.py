"""Renders any bytes as a mail to display: header fields, text of all its parts, attachments.

Nothing is fetched, and HTML only becomes text, so that nothing can exfiltrate a secret (EFAIL).
"""

from blackthorn.mail import limits
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.mime.fields import Field
from blackthorn.mail.mime.scan import normalise
from blackthorn.mail.mime.structure import Part, parse
from blackthorn.mail.render.headers import address_line, header_line
from blackthorn.mail.render.model import Attachment, RenderedMail, Section
from blackthorn.mail.render.page import Page
from blackthorn.mail.render.text import safe_text
from blackthorn.mail.render.walk import Opener, Walker

__all__ = ["Attachment", "RenderedMail", "Section", "render", "render_head"]


def render(
    content: bytes,
    opener: Opener | None = None,
    *,
    prefer_html: bool = False,
    own_header: bool = False,
) -> RenderedMail:
    """Render raw RFC 5322 bytes of any length. Never raises.

    `opener` opens what the sender sealed to this reader; `prefer_html` shows the HTML of a mail
    that has a plain text too. `own_header`: the mail came out of a seal itself, and its signature
    is judged by its own From, so that no header in a further seal takes the place of it.
    """
    try:
        content = normalise(content)
        root = parse(content)
    except MailRefusedError as error:
        excerpt = safe_text(content[: limits.MAX_EXCERPT_BYTES].decode("utf-8", "replace"))
        text = f"[not parsed: {error}; it begins with]\n{excerpt}"
        return RenderedMail("", "", "", "", "", (Section("", text),), (), False)
    page = Page()
    walker = Walker(page, opener, prefer_html=prefer_html, own_header=own_header)
    walker.entity(content, root)
    return _rendered(root, walker.protected, page)


def render_head(
    content: bytes,
    opener: Opener | None = None,
    *,
    prefer_html: bool = False,
    own_header: bool = False,
) -> RenderedMail:
    """Only the header fields, for a list; of its parts only a seal of the whole mail is opened."""
    try:
        content = normalise(content)
        root = parse(content)
    except MailRefusedError:
        return render(content)
    page = Page()
    walker = Walker(page, opener, prefer_html=prefer_html, own_header=own_header)
    walker.header(content, root)
    return _rendered(root, walker.protected, page)


def _rendered(root: Part, sealed: list[Field] | None, page: Page) -> RenderedMail:
    fields = _fields(root.fields, sealed, page)
    page.finish()
    return RenderedMail(
        sender=address_line(fields, b"from"),
        to=address_line(fields, b"to"),
        cc=address_line(fields, b"cc"),
        subject=header_line(fields, b"subject"),
        date=header_line(fields, b"date"),
        sections=tuple(page.sections) or (Section("", ""),),
        attachments=tuple(page.attachments),
        parsed=True,
        sealed=page.sealed,
        unopened=page.unopened,
        notes=tuple(page.notes),
        files=tuple(page.files),
    )


def _fields(outer: list[Field], sealed: list[Field] | None, page: Page) -> list[Field]:
    """The fields to show: those inside the seal before the outer ones (RFC 9788, 4.2)."""
    if sealed is None:
        return outer
    names = {name for name, _ in sealed}
    claimed, inner = address_line(outer, b"from"), address_line(sealed, b"from")
    if inner and claimed and inner != claimed:
        page.note(f"outside the seal the sender is named as {claimed}")
    return [*sealed, *((name, value) for name, value in outer if name not in names)]
