"""The list of all kinds of outgoing operations."""

from typing import Any, Final, Union

import msgspec

from blackthorn.device.core.prepared import UNREADABLE
from blackthorn.device.core.stored import decode
from blackthorn.device.operations import change_chain, change_group, create_group, create_self_group
from blackthorn.device.operations.add_later import AddLater
from blackthorn.device.operations.healing.add_again import AddAgain
from blackthorn.device.operations.healing.give_commit import GiveCommit
from blackthorn.device.operations.healing.renew import Renew
from blackthorn.device.operations.healing.send_heal import SendHeal
from blackthorn.device.operations.healing.settle_members import SettleMembers
from blackthorn.device.operations.keep_members import KeepMembers
from blackthorn.device.operations.move_suite import MoveSuite
from blackthorn.device.operations.operation import Operation
from blackthorn.device.operations.redeliver import Redeliver
from blackthorn.device.operations.send_mail import SendMail
from blackthorn.device.operations.send_text import SendText
from blackthorn.device.operations.share_state import ShareState
from blackthorn.ports.device_store import OutboxRecord

KINDS: Final[tuple[type[Operation], ...]] = (
    SendText,
    create_group.CreateGroup,
    change_group.ChangeGroup,
    KeepMembers,
    AddAgain,
    SendHeal,
    GiveCommit,
    SettleMembers,
    create_self_group.CreateSelfGroup,
    ShareState,
    change_chain.ChangeChain,
    AddLater,
    Renew,
    MoveSuite,
    Redeliver,
    SendMail,
)

_stored_form: Any = Union[KINDS]  # noqa: UP007  (the members are known at run time only)
_decoder: "msgspec.msgpack.Decoder[Operation]" = msgspec.msgpack.Decoder(_stored_form)


def operation_of(row: OutboxRecord) -> Operation:
    """The operation stored in a row of the outbox. Raises DamageError."""
    return decode(_decoder, row.operation, UNREADABLE)
