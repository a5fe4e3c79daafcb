"""Hello, fan-out ids, the window, the codes."""

import hashlib

import pytest
from msgspec.structs import replace

from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519, VerifyError
from blackthorn.errors import DecodeError
from blackthorn.ids import DeviceId, device_id
from blackthorn.link import frames as f
from blackthorn.link import limits
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.fanout import fanout_frame, fanout_id, open_fanout
from blackthorn.link.hello import check_version, decode_kept, kept, sign_hello, verify_hello
from blackthorn.link.window import Window

SEED = Secret(bytes(range(32)))
PUBLIC = ED25519.public_key(SEED)
BINDING = b"finished" * 6 + bytes(32)


def test_a_hello_names_the_device_that_signed_it() -> None:
    assert verify_hello(sign_hello(SEED, BINDING), PUBLIC, BINDING) == device_id(PUBLIC)


def test_a_hello_is_good_for_one_connection_only() -> None:
    hello = sign_hello(SEED, BINDING)
    other_key = ED25519.public_key(Secret(bytes(32)))
    for key, binding in ((PUBLIC, BINDING + b"x"), (PUBLIC, b""), (other_key, BINDING)):
        with pytest.raises(LinkError) as refused:
            verify_hello(hello, key, binding)
        assert refused.value.code is Code.HELLO_REFUSED


def test_a_hello_names_its_number_and_the_hello_before() -> None:
    """What its server keeps verifies without the connection, and nothing of it can be altered."""
    hello = sign_hello(SEED, BINDING, 7, b"b" * 32)
    assert verify_hello(hello, PUBLIC, BINDING) == device_id(PUBLIC)
    for changed in (
        replace(hello, number=8),
        replace(hello, before=bytes(32)),
        replace(hello, before=b""),
        replace(hello, version=1),
    ):
        with pytest.raises(LinkError) as refused:
            verify_hello(changed, PUBLIC, BINDING)
        assert refused.value.code is Code.HELLO_REFUSED
    data = kept(hello, BINDING).encode()
    assert len(data) == f.HELLO_BYTES and decode_kept(data) == kept(hello, BINDING)
    decode_kept(data).verify(PUBLIC)
    for place in range(len(data)):
        altered = bytearray(data)
        altered[place] ^= 1
        with pytest.raises(VerifyError):
            decode_kept(bytes(altered)).verify(PUBLIC)
    with pytest.raises(DecodeError):
        decode_kept(data[:-1])


def test_a_hello_of_version_1_is_still_taken() -> None:
    signed = b"blackthorn-link-hello-v1" + hashlib.sha256(BINDING).digest()
    hello = f.Hello(1, device_id(PUBLIC), ED25519.sign(SEED, signed))
    check_version(hello.version)
    assert verify_hello(hello, PUBLIC, BINDING) == device_id(PUBLIC)
    data = f.encode(hello)
    assert data[:1] == b"\x96" and data[-3:] == b"\x00\xc4\x00"
    assert f.decode(b"\x94" + data[1:-3]) == hello, "as it is sent, without the new fields"


@pytest.mark.parametrize("version", [0, f.LINK_VERSION + 1, 2**31])
def test_another_version_is_refused_as_such(version: int) -> None:
    with pytest.raises(LinkError) as refused:
        check_version(version)
    assert refused.value.code is Code.VERSION


DEVICES = [DeviceId(bytes([number]) * 16) for number in (3, 1, 2)]


def test_a_fanout_id_depends_on_the_devices_and_not_on_their_order() -> None:
    assert fanout_id(DEVICES) == fanout_id(sorted(DEVICES))
    assert fanout_id(DEVICES) != fanout_id(DEVICES[:2])
    assert open_fanout(fanout_frame(DEVICES)) == tuple(sorted(DEVICES))


@pytest.mark.parametrize(
    "frame",
    [
        f.Fanout(bytes(16), list(DEVICES)),
        f.Fanout(fanout_id(DEVICES), list(DEVICES[:2])),
        f.Fanout(fanout_id([*DEVICES, DEVICES[0]]), [*DEVICES, DEVICES[0]]),
    ],
)
def test_a_fanout_that_is_not_its_list_is_refused(frame: f.Fanout) -> None:
    with pytest.raises(LinkError):
        open_fanout(frame)


def test_the_window_bounds_parcels_and_bytes() -> None:
    window = Window()
    for seq in range(limits.MAX_UNACKNOWLEDGED_PARCELS):
        assert window.room > 0
        window.add(seq, 1)
    assert window.room == 0
    assert window.settle([0, 0, 5, 10**9]) == [(0, 1, 0), (5, 1, 0)]
    assert window.room == 2
    window.add(10**6, limits.MAX_UNACKNOWLEDGED_BYTES)
    assert window.room == 0
    window.settle([10**6])
    assert window.room == 2


def test_every_code_fits_the_wire_and_says_what_it_means() -> None:
    for code in Code:
        assert f.decode(f.encode(f.Bye(code, code.meaning))) == f.Bye(code.value, code.meaning)
        assert code.meaning.endswith(".")
