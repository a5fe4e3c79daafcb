"""Mail that comes in from devices in pieces: bounds, and who may send what."""

import pytest

from blackthorn.errors import ProtocolError, UnavailableError
from blackthorn.ids import Address, DeviceId
from blackthorn.server.outbound import limits
from blackthorn.server.outbound.uploads import Upload, Uploads
from blackthorn.wire.units import MIB

ALICE, DEVICE = Address("alice@acme.example"), DeviceId(b"d" * 16)


def offer(
    uploads: Uploads, token: int, size: int = 10, owner: Address = ALICE, now: float = 0.0
) -> Upload:
    return uploads.offer(DEVICE, bytes([token]) * 16, owner, owner, ["b@c.example"], size, now)


def test_a_mail_goes_on_where_it_was() -> None:
    uploads = Uploads()
    offer(uploads, 1).add(0, b"01234", 1.0)
    again = offer(uploads, 1, now=2.0)
    assert bytes(again.data) == b"01234"
    again.add(0, b"01234", 3.0)  # the same bytes once more
    again.add(5, b"56789", 3.0)
    assert again.whole and bytes(again.data) == b"0123456789"


def test_more_than_was_announced_is_refused() -> None:
    upload = offer(Uploads(), 1)
    with pytest.raises(ProtocolError, match="more of a mail than it has announced"):
        upload.add(0, b"x" * 11, 1.0)


def test_another_size_under_the_same_token_begins_anew() -> None:
    uploads = Uploads()
    offer(uploads, 1).add(0, b"01234", 1.0)
    assert offer(uploads, 1, size=11).data == b""


def test_what_is_being_stored_is_not_taken_again() -> None:
    uploads = Uploads()
    offer(uploads, 1).submitted = True
    with pytest.raises(UnavailableError, match="is being stored"):
        offer(uploads, 1)


def test_mails_of_one_user_and_of_all_are_bounded() -> None:
    uploads = Uploads()
    for token in range(limits.MAX_UPLOADS_PER_USER):
        offer(uploads, token)
    with pytest.raises(UnavailableError, match="other mail of yours"):
        offer(uploads, 99)
    for number in range(100, 110):
        offer(uploads, number, 25 * MIB, Address(f"u{number}@acme.example"))
    with pytest.raises(UnavailableError, match="much other mail"):
        offer(uploads, 200, 25 * MIB, Address("last@acme.example"))


def test_what_does_not_move_is_dropped() -> None:
    uploads = Uploads()
    offer(uploads, 1)
    uploads.drop_idle(limits.UPLOAD_IDLE_SECONDS)
    assert uploads.find(DEVICE, bytes([1]) * 16) is not None
    uploads.drop_idle(limits.UPLOAD_IDLE_SECONDS + 1)
    assert uploads.find(DEVICE, bytes([1]) * 16) is None
