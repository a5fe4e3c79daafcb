"""SPF, DKIM, ARC, DMARC and the verdict; dkimpy is the oracle of signatures."""

from unittest import mock

import dkim
import pytest
from dkim import canonicalization
from hypothesis import given
from hypothesis import strategies as st

from blackthorn.mail.authentication import limits
from blackthorn.mail.authentication.author import author
from blackthorn.mail.authentication.canonical import canonical_body
from blackthorn.mail.authentication.dmarc import organization, walk
from blackthorn.mail.authentication.questions import Answers, Found, Kind, Question
from blackthorn.mail.authentication.verdict import Arrival, Place, Rules, clean, judge
from blackthorn.mail.errors import MailRefusedError
from tests.support.signed_mail import (
    MAIL,
    NOW,
    PEER,
    SIGNED,
    Zone,
    ed25519_key,
    judged,
    rsa_key,
    sealed,
    signed,
)

FORMS = [(one, two) for one in (b"simple", b"relaxed") for two in (b"simple", b"relaxed")]


@pytest.mark.parametrize("algorithm", [b"rsa-sha256", b"ed25519-sha256"])
@pytest.mark.parametrize("form", FORMS, ids=[b"-".join(form).decode() for form in FORMS])
def test_a_signature_verifies_and_no_octet_can_be_changed(
    form: tuple[bytes, bytes], algorithm: bytes
) -> None:
    mail = signed(form=form, algorithm=algorithm)
    zone = Zone().key("out.example", (rsa_key() if algorithm[:1] == b"r" else ed25519_key())[1])
    assert "dkim=pass " in judged(mail, zone).summary
    for changed in (
        mail.replace(b"Hello", b"Hallo"),
        mail.replace(b"A  folded", b"A unfolded"),
        mail + b"more\r\n",
        mail.replace(b"\r\n\r\nHello", b"\r\nX: y\r\n\r\n\r\nHello"),
    ):
        assert "dkim=fail " in judged(changed, zone).summary
    spaced = mail.replace(b"Hello,  \r\n", b"Hello,\r\n")
    assert ("dkim=pass " in judged(spaced, zone).summary) is (form[1] == b"relaxed")


@given(
    st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"b c", b"."])).map(b"".join),
    st.integers(1, 9),
)
def test_canonical_bodies_are_dkimpys(body: bytes, piece: int) -> None:
    oracle = {
        True: canonicalization.Relaxed.canonicalize_body(body + b"\r\n"),
        False: canonicalization.Simple.canonicalize_body(body + b"\r\n"),
    }
    with mock.patch.object(limits, "BODY_PIECE_BYTES", piece):
        for relaxed, form in oracle.items():
            assert b"".join(canonical_body(body + b"\r\n", relaxed)) == form
            if body and not body.endswith(b"\r\n"):  # the end of a line is added
                assert b"".join(canonical_body(body, relaxed)) == form


def test_what_makes_a_signature_not_count() -> None:
    mail, zone = signed(), Zone().key("out.example")
    small = Zone().key("out.example", b"v=DKIM1; p=" + rsa_key(1_024)[1].partition(b"p=")[2][:40])
    for changed, where, outcome in (
        (mail, Zone(), "permerror"),
        (mail, Zone().key("out.example", b"v=DKIM1; p="), "permerror"),
        (mail, Zone().key("out.example", b"v=DKIM2; p=AAAA"), "permerror"),
        (mail, small, "permerror"),
        (mail.replace(b"a=rsa-sha256", b"a=rsa-sha1"), zone, "permerror"),
        (mail.replace(b"d=out.example", b"d=out_/example"), zone, "permerror"),
        (mail.replace(b"out.example;", b"a.example;"), Zone().key("a.example"), "fail"),
        (mail.replace(b" v=1;", b" v=1; l=3;"), zone, "fail"),
        (mail.replace(b" v=1;", b" v=1; x=5;"), zone, "fail"),
        (mail.replace(b" v=1;", b" v=1; v=1;"), zone, "permerror"),
        (mail.replace(b" v=1;", b" v=1; i=@evil.example;"), zone, "permerror"),
        (mail.replace(b"Subject:", b"no field\r\nSubject:"), zone, "permerror"),
    ):
        assert f"dkim={outcome} " in judged(changed, where).summary, changed[:400]


def test_a_body_that_is_signed_in_part_does_not_count() -> None:
    line = dkim.sign(MAIL, b"s", b"out.example", rsa_key()[0], include_headers=SIGNED, length=True)
    zone = Zone().key("out.example")
    assert "dkim=pass " in judged(line + MAIL, zone).summary
    assert "dkim=policy " in judged(line + MAIL + b"appended\r\n", zone).summary


def test_signatures_are_bounded() -> None:
    mail = signed() + b""
    line = mail[: -len(MAIL)]
    many = judged(line * 20 + MAIL, Zone().key("out.example"))
    assert many.summary.count("pass") == limits.MAX_DKIM_SIGNATURES
    assert len(many.field) <= limits.MAX_RESULTS_BYTES
    huge = line.replace(b" v=1;", b" v=1; z=" + b"x" * limits.MAX_SIGNATURE_FIELD_BYTES + b";")
    assert "dkim=policy " in judged(huge + MAIL, Zone().key("out.example")).summary


def test_a_chain_of_seals_holds_and_breaks() -> None:
    zone = Zone().key("list.example").key("relay.example")
    once = sealed(MAIL, b"list.example")
    twice = sealed(once, b"relay.example", "arc=pass")
    assert "arc=none" in judged(MAIL, zone).summary
    assert "arc=pass" in judged(once, zone).summary
    assert "arc=pass" in judged(twice, zone).summary
    assert dkim.arc_verify(twice, dnsfunc=lambda name, **_: rsa_key()[1])[0] == b"pass"
    for changed in (
        twice.replace(b"Hello", b"Hallo"),
        twice.replace(b"cv=pass", b"cv=none"),
        twice.replace(b"spf=pass", b"spf=fail"),
        twice.replace(b"ARC-Seal:", b"X-Seal:", 1),
        once + b"more\r\n",
        once[: -len(MAIL)] + once,
        once.replace(b"i=1;", b"i=2;"),
    ):
        assert "arc=fail" in judged(changed, zone).summary
    assert "arc=fail" in judged(once, Zone()).summary


def test_spf_by_terms_of_all_kinds() -> None:
    zone = Zone().txt("out.example", "v=spf1 include:_a.out.example a:web.out.example mx -all")
    zone.txt("_a.out.example", "v=spf1 ip4:198.51.100.0/24 exists:%{i}.x.example ?all")
    zone.others = {
        Question(Kind.A, "web.out.example"): Found(("192.0.2.7",)),
        Question(Kind.MX, "out.example"): Found(("10 mx.out.example",)),
        Question(Kind.A, "mx.out.example"): Found(("192.0.2.9",)),
    }
    for peer, outcome in (
        ("198.51.100.3", "pass"),
        ("192.0.2.7", "pass"),
        ("192.0.2.9", "pass"),
        ("192.0.2.1", "fail"),
        ("2001:db8::1", "permerror"),  # three names have no such address: more than two voids
    ):
        assert f"spf={outcome} " in judged(MAIL, zone, peer=peer).summary, peer
    assert (
        "spf=pass "
        in judged(
            MAIL, Zone().txt("mx.out.example", "v=spf1 ip4:192.0.2.1 -all"), sender=""
        ).summary
    )


def test_spf_keeps_its_bounds() -> None:
    chain = Zone()
    for number in range(14):
        chain.txt(f"s{number}.example", f"v=spf1 include:s{number + 1}.example -all")
    assert "spf=permerror " in judged(MAIL, chain, sender="a@s0.example").summary
    assert chain.rounds < 20
    void = Zone().txt("out.example", *["v=spf1 a:a.example a:b.example a:c.example -all"])
    assert "spf=permerror " in judged(MAIL, void).summary
    long = Zone().txt("out.example", "v=spf1 " + "ip4:192.0.2.1 " * 400)
    assert "spf=permerror " in judged(MAIL, long).summary
    two = Zone().txt("out.example", "v=spf1 -all", "v=spf1 +all")
    assert "spf=permerror " in judged(MAIL, two).summary
    wrong = Zone().txt("out.example", "v=spf1 %{x ip4:z -all")
    assert "spf=permerror " in judged(MAIL, wrong).summary


def walked(domain: str, zone: Zone) -> str:
    known = {}
    for steps in (domain,):
        labels = steps.split(".")
        for start in range(len(labels)):
            question = Question(Kind.TXT, "_dmarc." + ".".join(labels[start:]))
            known[question] = zone.answer(question)
    return organization(domain, walk(domain, Answers(known)))


def test_the_organizational_domain_comes_from_the_tree() -> None:
    zone = Zone().txt("_dmarc.example.co.x", "v=DMARC1; p=reject")
    assert walked("a.b.example.co.x", zone) == "example.co.x"
    zone.txt("_dmarc.co.x", "v=DMARC1; psd=y; p=none")
    assert walked("a.b.example.co.x", zone) == "example.co.x"
    assert walked("a.other.co.x", zone) == "other.co.x"
    zone.txt("_dmarc.b.example.co.x", "v=DMARC1; psd=n; p=none")
    assert walked("a.b.example.co.x", zone) == "b.example.co.x"
    assert walked("nobody.y", zone) == "nobody.y"
    deep = ".".join("abcdefghijklmn") + ".example.co.x"
    assert walked(deep, Zone().txt("_dmarc.example.co.x", "v=DMARC1; p=none")) == "example.co.x"
    two = Zone().txt("_dmarc.example.co.x", "v=DMARC1; p=none", "v=DMARC1; p=reject")
    assert walked("example.co.x", two) == "example.co.x"


def refused(mail: bytes, zone: Zone, **how: object) -> str:
    with pytest.raises(MailRefusedError) as error:
        judged(mail, zone, **how)  # type: ignore[arg-type]
    return error.value.reply


def test_dmarc_by_policy_and_alignment() -> None:
    zone = Zone().key("out.example").txt("_dmarc.out.example", "v=DMARC1; p=reject")
    assert judged(signed(), zone).place is Place.INBOX
    assert "dmarc=pass" in judged(signed(), zone).summary
    assert refused(MAIL, zone).startswith("550 5.7.1 ")
    marking = Rules("acme.example", "acme.example", refuse_by_dmarc=False)
    assert judged(MAIL, zone, rules=marking).place is Place.JUNK
    zone.txt("_dmarc.out.example", "v=DMARC1; p=reject; t=y")
    assert judged(MAIL, zone).place is Place.JUNK
    zone.txt("_dmarc.out.example", "v=DMARC1; p=quarantine; pct=0")
    assert judged(MAIL, zone).reason == "dmarc", "pct is gone"
    zone.txt("_dmarc.out.example", "v=DMARC1; p=none")
    assert judged(MAIL, zone).place is Place.INBOX
    sub = MAIL.replace(b"eve@out.example>", b"eve@sub.out.example>", 1)
    zone.txt("_dmarc.out.example", "v=DMARC1; p=none; sp=reject; np=none")
    assert judged(sub, zone).place is Place.INBOX, "no such name: np"
    zone.txt("sub.out.example", "there")
    assert refused(sub, zone)
    assert judged(signed(sub), zone).place is Place.INBOX, "relaxed alignment"
    zone.txt("_dmarc.out.example", "v=DMARC1; p=reject; adkim=s")
    assert refused(signed(sub), zone)
    spf = Zone().txt("_dmarc.out.example", "v=DMARC1; p=reject")
    spf.txt("out.example", "v=spf1 ip4:192.0.2.1 -all")
    assert "dmarc=pass" in judged(MAIL, spf).summary
    assert refused(MAIL, spf.txt("evil.example", "v=spf1 +all"), sender="x@evil.example")


def test_a_trusted_sealer_counts_more_than_dmarc() -> None:
    zone = Zone().key("list.example").txt("_dmarc.out.example", "v=DMARC1; p=reject")
    mail = sealed(MAIL, b"list.example")
    assert refused(mail, zone)
    trusting = Rules("acme.example", "acme.example", sealers=("list.example",))
    assert judged(mail, zone, rules=trusting).reason == "vouched"


def test_our_own_domain_from_outside() -> None:
    mail = MAIL.replace(b"eve@out.example", b"boss@acme.example", 1)
    assert judged(mail, Zone()).reason == "own domain from outside"
    refusing = Rules("acme.example", "acme.example", own_from="refuse")
    assert refused(mail, Zone(), rules=refusing).startswith("550 5.7.1 ")
    own = Zone().key("acme.example")
    assert judged(signed(mail, b"acme.example"), own, rules=refusing).place is Place.INBOX
    listed = b"List-Id: <l.out.example>\r\n" + mail
    assert refused(listed, Zone(), rules=refusing)
    spf = Zone().txt("out.example", "v=spf1 ip4:192.0.2.1 -all")
    assert judged(listed, spf, rules=refusing).place is Place.JUNK


def test_failed_lookups_defer_where_they_matter() -> None:
    for name in ("out.example", "s._domainkey.out.example", "_dmarc.out.example"):
        zone = Zone().key("out.example").txt("_dmarc.out.example", "v=DMARC1; p=reject")
        zone.failed.add(name)
        mail = signed().replace(b"Hello", b"Hallo") if name == "out.example" else signed()
        assert refused(mail, zone).startswith("451 4.4.3 "), name
    related = Zone().key("mail.out.example").txt("_dmarc.out.example", "v=DMARC1; p=reject")
    related.failed.add("_dmarc.mail.out.example")
    assert refused(signed(domain=b"mail.out.example"), related).startswith("451 4.4.3 ")
    proven = Zone().key("out.example").txt("_dmarc.out.example", "v=DMARC1; p=reject")
    proven.failed.add("out.example")
    assert "spf=temperror dkim=pass" in judged(signed(), proven).summary


def test_no_more_than_the_budget_is_asked_and_the_policy_is_always_within_it() -> None:
    zone = Zone().txt("_dmarc.out.example", "v=DMARC1; p=reject")
    zone.txt("out.example", "v=spf1 " + " ".join(f"mx:m{n}.example" for n in range(9)) + " +all")
    for domain in range(9):
        hosts = tuple(f"10 h{domain}-{host}.example" for host in range(10))
        zone.others[Question(Kind.MX, f"m{domain}.example")] = Found(hosts)
        for host in range(10):
            question = Question(Kind.A, f"h{domain}-{host}.example")
            zone.others[question] = Found(("198.51.100.1",))
    assert refused(MAIL, zone).startswith("550 5.7.1 "), "what was not asked lets nothing pass"
    zone.key("out.example")
    verdict = judged(signed(), zone)
    assert "spf=permerror dkim=pass" in verdict.summary
    assert len(verdict.questions) == limits.MAX_QUESTIONS


def test_an_answer_that_cannot_be_asked_any_more_is_no_absence() -> None:
    arrival = Arrival(PEER, "eve@evil.example", "mx.evil.example", NOW)
    rules = Rules("acme.example", "acme.example")
    others = {Question(Kind.TXT, f"n{number}.example"): Found() for number in range(99)}
    for known in ({}, others):
        with pytest.raises(MailRefusedError) as error:
            judge(MAIL, arrival, rules, known, last=True)
        assert error.value.reply.startswith("451 4.4.3 ")


def test_authors() -> None:
    for text, domain in (
        (b"a@b.example", "b.example"),
        (b'"x@y.example" <a@B.example>', "b.example"),
        (b'"a \\" <b@c.example>" <a@b.example>', "b.example"),
        (b"(c <x@y.example>) a@b.example", "b.example"),
        (b"a@b.example, c@b.example", "b.example"),
        (b"G: a@b.example, c@b.example;", "b.example"),
        ("ä <a@ü.example>".encode(), "xn--tda.example"),
        (b"a@b.example, c@d.example", ""),
        (b"<a@b.example> <c@d.example>", ""),
        (b"ceo@bank.example <>", ""),
        (b"", ""),
        (b"a@b.example <c@", ""),
        (b"@b.example", ""),
        (b'"unclosed <a@b.example>', ""),
        (b"a@" + b"\xc3\xbc" * 4_000, ""),
    ):
        assert author([text]).domain == domain, text
    assert author([b"a@b.example"] * 2).fields == 2


def test_a_second_from_is_refused_and_an_unclear_one_is_junk() -> None:
    assert refused(b"From: a@b.example\r\n" + MAIL, Zone()).startswith("550 5.6.0 ")
    assert refused(MAIL.replace(b"Subject", b"fRom : x@y.example\r\nSubject"), Zone())
    for mail in (MAIL.replace(b"From:", b"X-From:"), MAIL.replace(b"eve@out.example", b"", 1)):
        assert judged(mail, Zone()).place is Place.JUNK
    hidden = MAIL.replace(b"From:", b"no field\r\nFrom:", 1)
    assert judged(hidden, Zone()).place is Place.JUNK


def test_foreign_results_of_our_name_are_removed() -> None:
    ours = b"Authentication-Results: acme.example; spf=pass\r\n"
    folded = b'authentication-results:\r\n (a (b)) "ACME.example" 1;\r\n dkim=pass\r\n'
    other = b"Authentication-Results: out.example; spf=pass\r\n"
    assert clean(ours + folded + other + MAIL, ("mx.acme.example", "acme.example")) == other + MAIL
    inside = MAIL + ours
    assert clean(inside, ("acme.example",)) == inside
    assert clean(ours, ("acme.example",)) == b""


def test_results_are_one_field_of_short_lines() -> None:
    zone = Zone().key("out.example").txt("out.example", "v=spf1 ip4:192.0.2.1 -all")
    field = judged(signed(), zone).field
    assert field.startswith("Authentication-Results: acme.example;\r\n spf=pass")
    lines = field.splitlines()
    assert field.endswith("\r\n") and all(line[0] == " " for line in lines[1:])
    evil = judged(MAIL, Zone(), sender="a@b.example;dkim=pass", helo="x\r\nY: z")
    assert "dkim=pass" not in evil.field
