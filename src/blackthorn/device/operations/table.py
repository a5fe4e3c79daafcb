"""The kinds of outgoing operations: the one place that lists them."""

from typing import Any, Final, Union

import msgspec

from blackthorn.device.core.stored import decode
from blackthorn.device.operations.change_chain import ChangeChain
from blackthorn.device.operations.change_group import ChangeGroup
from blackthorn.device.operations.create_group import CreateGroup
from blackthorn.device.operations.create_self_group import CreateSelfGroup
from blackthorn.device.operations.keep_members import KeepMembers
from blackthorn.device.operations.operation import Operation
from blackthorn.device.operations.prepared import UNREADABLE
from blackthorn.device.operations.send_text import SendText
from blackthorn.device.operations.share_state import ShareState
from blackthorn.ports.device_store import OutboxRecord

KINDS: Final[tuple[type[Operation], ...]] = (
    SendText,
    CreateGroup,
    ChangeGroup,
    KeepMembers,
    CreateSelfGroup,
    ShareState,
    ChangeChain,
)

_stored_form: Any = Union[KINDS]  # noqa: UP007  (the members are known at run time only)
_decoder: "msgspec.msgpack.Decoder[Operation]" = msgspec.msgpack.Decoder(_stored_form)


def operation_of(row: OutboxRecord) -> Operation:
    """The operation that a row of the outbox stores. Raises DamageError."""
    return decode(_decoder, row.operation, UNREADABLE)
