"""HTML as text: amounts stay amounts, links say where they lead, what is hidden is said."""

import pytest

from blackthorn.mail.render import limits
from blackthorn.mail.render.bare import bare_text
from blackthorn.mail.render.html import HtmlBudget, parse_html
from blackthorn.mail.render.html_text import html_text
from tests.support.work import Work


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<table><tr><td>Qty<td>1<td>200.00</table>", "Qty | 1 | 200.00"),
        (
            "<table><tr><th>Item<th>Debit<th>Credit<tr><td>Rent<td><td>200.00</table>",
            "Item | Debit | Credit\nRent |  | 200.00",
        ),
        (
            "<table><tr><td>a<td>1<tr><td>b<td>2<tr><td colspan=2>sum<td>3</table>",
            "a | 1\nb | 2\nsum |  | 3",
        ),
        ("<table><tr><td></td><td><table><tr><td>only</table></td></tr></table>", "only"),
        ("<table><tr><td>Pen<br>blue<td>2</table>", "Pen / blue | 2"),
        ('<a title="1>0" href="https://x.example/">text</a>', "text <https://x.example/>"),
        ("<img alt='A logo' src=cid:x>", "[picture: A logo]"),
        ("<img src=cid:x><img src=https://x.example/1.gif>", "[picture]"),
        ("1 < 2 &amp; 3&nbsp;&lt;&nbsp;4 &unknown; &#x1F600;", "1 < 2 & 3 < 4 &unknown; 😀"),
        ("10<sup>2</sup> x<sub>1</sub> 5<sub>2</sub>", "10^2 x1 5_2"),
        ("<s>100</s> 80", "[struck out: 100] 80"),
        ("<s>1<b>0</b></s>, 9", "[struck out: 10], 9"),
        ("<i style='text-decoration: line-through red'>9</i>", "[struck out: 9]"),
        ("<del>a<p>b</p></del>c", "[struck out: a]\n\n[struck out: b]\n\nc"),
        ("<del style='text-decoration:none'>a</del>", "a"),
        ("a<div hidden><q>b</q><s>c</s><button>d</button><rt>e</rt></div>f", "a\nf"),
        ("a<svg><style>b</style><text>c</text></svg><math><mi>d</mi></math>", "acd"),
        ("<video src=x><a href=y>watch</a></video>", "watch <y>"),
        ("<button><div>Buy</div></button>", "[button:\nBuy\n]"),
        ("<ol start=3><li>a<li>b</ol>", "3. a\n4. b"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n  - b\n- c"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>c", "> a\n>\n> > b\n\nc"),
        ("<pre>a  b\n  c</pre>", "a  b\n  c"),
        ('<div style="white-space:pre-wrap">a\nb</div>', "a\nb"),
        ("<a href='mailto:a@x.example'>a@x.example</a>", "a@x.example"),
        ("<a href='http://x.example/'>x.example</a>", "x.example"),
        ("<a href='http://evil.example/'>x.example</a>", "x.example <http://evil.example/>"),
        ("<a href='#top'>up</a>", "up"),
        (f"<base href='http://x.example/{'a' * 500}/'><a href='b'>c</a>", "c <b>"),
        ("<base href='https://x.example/a/'><a href='b'>c</a>", "c <https://x.example/a/b>"),
        ("<a href='java\nscript:x'>c</a>", "c <javascript:x>"),
        ("a<script>b</script><style>c</style><title>d</title>e", "ae"),
        ("<!--[if mso]>x<![endif]--><![if !mso]>y<![endif]>", "y"),
        ('<td style="font-size:0"><p style="font-size:12px">shown</p></td>', "shown"),
        ('<span style="display:inline-block">1</span><span>200</span>', "1 200"),
        ('<div style="display:flex"><b>Tax</b><b>1.90</b></div>x<b>y</b>', "Tax 1.90\nxy"),
        ("<p>a<p>b<br>c", "a\n\nb\nc"),
        ("<input type=submit value=Go><input type=hidden value=x>", "[button: Go]"),
        ("<button>Buy</button>", "[button: Buy]"),
    ],
)  # fmt: skip
def test_text(page: str, text: str) -> None:
    assert html_text(page).text == text


@pytest.mark.parametrize(
    "style",
    [
        "display: none",
        "DISPLAY:none !important",
        "visibility:hidden",
        "opacity:0",
        "font-size:0px",
        "font-size: 1px",
        "max-height:0;overflow:hidden",
        "color:transparent",
        "color: rgba(0, 0, 0, 0.0)",
        "color:#fff0",
        "color:#FFF;background:white",
        "background-color:rgb(1,2,3);color:#010203",
        "display:none !important; display:block",
    ],
)
def test_hidden_text_is_not_shown_but_said(style: str) -> None:
    found = html_text(f'<p>a</p><div style="{style}">se<b>cr</b>et</div>')
    assert (found.text, found.hidden_chars) == ("a", 6)
    assert found.hidden.replace(" ", "") == "secret"


@pytest.mark.parametrize(
    "page",
    [
        # another colour in what is without one
        '<div style="color:transparent"><p style="color:#000">seen</p></div>',
        '<div style="color:#fff;background:#fff"><p style="background:#000">seen</p></div>',
        '<div style="color:#fff;background:#fff"><a href="">seen</a></div>',
        # seen by its shadow, by its background, by another colour
        '<p style="color:transparent;text-shadow:0 0 0 #000">seen</p>',
        '<p style="color:transparent;-webkit-background-clip:text;background:red">seen</p>',
        '<p style="color:transparent;-webkit-text-fill-color:#000">seen</p>',
        # what lies behind it is unknown
        '<p style="color:#fff">seen</p>',
        '<p style="color:#fff;background:#fff url(cid:x)">seen</p>',
        '<p style="color:#fff;background-color:#fff;background:#000">seen</p>',
        "<table bgcolor=#ffffff><td background=cid:x><font color=#ffffff>seen</font></table>",
        '<div style="background:#fff"><p style="color:#fff;position:absolute">seen</p></div>',
        # what a browser does not understand, it ignores
        '<p style="color:nosuch;background:nosuch">seen</p>',
        '<p style="opacity:0nosuch">seen</p>',
        '<p style="color:# fff;background:#fff">seen</p>',
        "<div bgcolor=white><font color=white>seen</font></div>",
        # what only looks like a declaration, and what is overruled
        "<p style=\"font-family:'x;display:none'\">seen</p>",
        '<p style="background:url(data:x;display:none;)">seen</p>',
        '<p style="display:block !important;display:none">seen</p>',
        '<p hidden style="display:block">seen</p>',
    ],
)
def test_text_that_others_see_is_shown(page: str) -> None:
    found = html_text(page)
    assert "seen" in found.text and not found.hidden


def test_text_in_the_colour_of_its_cell_is_hidden() -> None:
    page = "<table bgcolor=white><tr><td><font color=FFFFFF>unseen</font><td>seen</table>"
    found = html_text(page)
    assert (found.text, found.hidden) == ("seen", "unseen")


def test_remote_content_is_named_by_its_hosts() -> None:
    page = (
        "<img src=https://A.example/x><table background='//b.example/y'>"
        "<div style=\"background:url('http://c.example/z')\"><img src=cid:x><img src='http://[x'>"
    )
    assert {"a.example", "b.example", "c.example"} < set(html_text(page).remote)


@pytest.mark.parametrize(
    "page",
    [
        "<p>first" + "<b>x</b>" * limits.MAX_HTML_TOKENS,
        "<p>first<a " + " ".join(f"a{number}" for number in range(2_000)) + ">",
        "<p>first<!--" + "- " * limits.MAX_HTML_TOKEN_STEPS + "-->",
        "<p>first<" + "a" * 2 * limits.MAX_HTML_TOKEN_STEPS + ">",
    ],
)
def test_work_on_html_has_a_bound_beyond_which_its_bare_text_is_shown(page: str) -> None:
    found = html_text(page)
    assert found.bare and not found.cut and found.text.startswith("first")


@pytest.mark.parametrize(
    ("page", "least"),
    [
        # formatting that is never closed is opened again in each block
        ("".join(f"<p><font size={size}>" for size in range(30)) + "<p>x" * 100, 30 * 100),
        # a long text in pieces is copied for each
        ("x" * 100_000 + "</y>z" * 100, 100 * 20),
        # what stands in a table outside its cells is put before it, behind all that was
        ("<table>" + "<i>x</i>" * 300, 300 * (3 + 2)),
        # attributes of what is opened again
        (f"<p><font title={'x' * 2_000}>" + "<p>x" * 50, 50 * 40),
        # lines are laid out again in each quote around them
        ("<blockquote>" * 20 + "<pre>" + "x\n" * 1_000, 20 * 100),
    ],
)
def test_work_on_the_tree_is_counted(page: str, least: int) -> None:
    """Each of these does more work for a tag or text than other documents."""
    budget = HtmlBudget()
    assert not html_text(page, budget).bare
    work = HtmlBudget().work - budget.work
    assert work >= least
    assert html_text(page, HtmlBudget(work=work - 1)).bare


def test_formatting_that_stays_open_has_a_bound() -> None:
    page = "".join(f"<p><font size={size}>" for size in range(400)) + "<a href=x>end"
    found = html_text(page)
    assert found.text == "end <x>" and not found.bare
    root = parse_html(page, HtmlBudget())
    assert sum(1 for _ in root.iter("font")) < 400 * (limits.MAX_HTML_FORMATTING + 1)


def test_a_comment_in_many_pieces_costs_what_it_copies() -> None:
    budget = HtmlBudget()
    html_text("<!--" + "x" * 50_000 + "-x" * 100 + "-->", budget)
    assert HtmlBudget().steps - budget.steps > 100 * 10


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a<p title='x'>b<b>c</b> &amp; d</p><br>e", "a\nbc & d\ne"),
        ("1 < 2 &lt;b&gt;", "1 < 2 <b>"),
        ("a<!-- b <i>c</i> --><!DOCTYPE x>d", "ad"),
        ("a<script>if (x<y) z()</script><style>p{}</style>b", "a\nb"),
        ("a<SCRIPT>b</Script >c<!-- d", "a\nc"),
        ("a<img alt='<script>'>b<img alt=\"<!--\">c<p ='x>d'>e", "abc\nd'>e"),
        ("a<!-- b --!>c<!-->d<xmp><script></xmp>e", "acd\n<script>\ne"),
        ("a<i", "a"),
        ("&#" + "9" * 5_000 + ";", "&#" + "9" * 5_000 + ";"),
    ],
)
def test_bare_text(page: str, text: str) -> None:
    assert bare_text(page) == text


@pytest.mark.parametrize(
    "page", ["<" * 50_000, "<!--" * 50_000, "<script>" * 20_000, "<a " * 50_000]
)
def test_bare_text_takes_one_pass(page: str) -> None:
    with Work() as work:
        bare_text(page)
    assert work.calls < 20 * len(page)


def test_tags_nested_too_deeply_are_left_out_and_their_text_stays() -> None:
    page = "<div>" * 1_000 + "deep" + "</div>" * 1_000 + "after"
    assert html_text(page).text == "deep\nafter"
    root = parse_html(page, HtmlBudget())
    assert sum(1 for _ in root.iter()) < limits.MAX_HTML_DEPTH + 10


def test_quotes_nested_deeply_do_not_multiply_the_work() -> None:
    with Work() as work:
        html_text("<blockquote>" * 100 + "x<br>" * 1_000)
    assert work.calls < 400_000
