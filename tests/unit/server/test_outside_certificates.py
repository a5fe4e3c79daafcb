"""Devices' questions about addresses outside: asked once for all, bounded, and kept for a while."""

from blackthorn.errors import UnavailableError
from blackthorn.ids import Address, DeviceId
from blackthorn.link import frames as f
from blackthorn.ports.outside.certificates import FoundCertificates
from blackthorn.ports.store import Done
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.mail.mailbox import MailHandler
from blackthorn.server.mail import limits
from blackthorn.server.mail.outside_certificates import OutsideCertificates
from tests.support.sessions import RecordingSession

BEA = Address("bea@out.example")
FOUND = FoundCertificates(b"certificate")
DEVICE, OTHER = DeviceId(bytes(16)), DeviceId(b"\x01" * 16)


class Place:
    """The service, whose questions wait until the test answers them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[tuple[Address, Done[FoundCertificates]]] = []
        self.told: list[object] = []
        self.service = OutsideCertificates("acme.example", self._fetch, self)

    def monotonic(self) -> float:
        return self.now

    def wall_ms(self) -> int:
        return 0

    def _fetch(self, address: Address, done: Done[FoundCertificates]) -> None:
        self.asked.append((address, done))

    def find(self, address: str, device: DeviceId = DEVICE) -> None:
        self.service.find(Address(address), device, self.told.append)

    def answer(self, result: object) -> None:
        _, done = self.asked.pop(0)
        done(result)


def test_one_question_answers_all_who_wait_and_those_who_come_later():
    place = Place()
    place.find(BEA)
    place.find(BEA, OTHER)
    assert len(place.asked) == 1 and not place.told
    place.answer(FOUND)
    place.find(BEA, OTHER)
    assert place.told == [FOUND] * 3 and not place.asked
    place.now = limits.CERTIFICATE_KEPT_SECONDS
    place.find(BEA)
    assert len(place.asked) == 1


def test_an_absence_is_kept_for_a_shorter_time_and_a_failure_not_at_all():
    place = Place()
    place.find(BEA)
    place.answer(UnavailableError("later"))
    place.find(BEA)
    place.answer(FoundCertificates())
    place.find(BEA)
    assert (
        isinstance(place.told[0], UnavailableError) and place.told[1:] == [FoundCertificates()] * 2
    )
    place.now = limits.NO_CERTIFICATE_KEPT_SECONDS
    place.find(BEA)
    assert len(place.asked) == 1


def test_nothing_is_asked_about_our_own_users():
    place = Place()
    place.find("alice@acme.example")
    assert place.told == [FoundCertificates()] and not place.asked


def test_a_device_that_asks_too_much_is_refused_alone(monkeypatch):
    monkeypatch.setattr(limits, "MAX_CERTIFICATE_LOOKUPS_AT_ONCE", 10_000)
    place = Place()
    for number in range(limits.CERTIFICATE_LOOKUPS + 2):
        place.find(f"u{number}@out.example")
    assert [type(each) for each in place.told] == [UnavailableError]
    place.find("v@out.example", OTHER)
    assert len(place.told) == 1
    place.now = 3_600.0
    place.find("w@out.example")
    assert len(place.told) == 1


def test_few_domains_are_asked_at_a_time(monkeypatch):
    monkeypatch.setattr(limits, "MAX_CERTIFICATE_LOOKUPS_AT_ONCE", 2)
    place = Place()
    for name in "abc":
        place.find(f"{name}@out.example")
    assert len(place.asked) == 2 and isinstance(place.told[0], UnavailableError)


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(limits, "MAX_KEPT_CERTIFICATES", 3)
    monkeypatch.setattr(limits, "MAX_KEPT_CERTIFICATE_BYTES", 100)
    place = Place()
    for number, size in enumerate([10, 10, 10, 10, 95, 200]):
        place.find(f"u{number}@out.example")
        place.answer(FoundCertificates(bytes(size)))
        assert len(place.service._kept) <= 3
        assert place.service._bytes == sum(
            len(k.certificates) for k, _ in place.service._kept.values()
        )
        assert place.service._bytes <= 100


def test_over_the_link():
    place = Place()
    handler = MailHandler(None, None, Counters(), place.service)
    session = RecordingSession(Address("alice@acme.example"))
    handler.handle(session, f.FindCertificates(7, "Bea@OUT.example"), 0.0)
    assert place.asked[0][0] == BEA
    place.answer(FOUND)
    handler.handle(session, f.FindCertificates(8, "carl@out.example"), 0.0)
    place.answer(UnavailableError("try again later"))
    assert session.sent == [
        f.CertificatesFound(7, "Bea@OUT.example", b"certificate"),
        f.CertificatesFound(8, "carl@out.example", b"", "try again later"),
    ]
    handler.handle(RecordingSession(None), f.FindCertificates(9, "x@out.example"), 0.0)
    assert not place.asked
