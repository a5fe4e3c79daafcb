"""`ports.mail` in memory."""

from blackthorn.errors import AbsentError, DamageError
from blackthorn.ports.mail import (
    CountMail,
    DeleteMail,
    ListMail,
    MailHead,
    MailPart,
    PiecedMail,
    ReadMail,
    RemovePieces,
    StoreMail,
    StorePieces,
    UsedByMail,
)
from tests.support.memory_store.state import Mail, State


def check_key(state: State, market: str) -> None:
    if market in state.destroyed:
        raise DamageError(f"the key of market {market} was destroyed")


def store(state: State, command: StoreMail) -> list[int]:
    uids: list[int] = []
    for mail in command.mails:
        user = state.users.get(mail.user)
        if user is None:
            raise AbsentError("the mail's user was deleted")
        check_key(state, user.market)
        sealed = joined(state, mail) if isinstance(mail, PiecedMail) else bytes(mail.sealed)
        uid = state.last_uid.get(mail.user, 0) + 1
        state.last_uid[mail.user] = uid
        row = Mail(command.received_ms, user.market, sealed, mail.compatible)
        state.mails[mail.user, uid] = row
        uids.append(uid)
    return uids


def list_mail(state: State, query: ListMail) -> list[MailHead]:
    found = [
        MailHead(uid, len(mail.sealed), mail.received_ms)
        for (user, uid), mail in sorted(state.mails.items())
        if user == query.user and uid > query.after and mail.compatible == query.compatible
    ]
    return found[: query.limit]


def read(state: State, query: ReadMail) -> MailPart | None:
    mail = state.mails.get((query.user, query.uid))
    if mail is None:
        return None
    if query.offset < len(mail.sealed):
        check_key(state, mail.market)
    part = mail.sealed[query.offset : query.offset + query.length]
    return MailPart(len(mail.sealed), part)


def joined(state: State, mail: PiecedMail) -> bytes:
    pieces = state.pieces.pop((mail.user, mail.mail), {})
    sealed = b"".join(pieces[start] for start in sorted(pieces))
    if len(sealed) != mail.size:
        raise AbsentError("pieces of the mail were deleted")
    return sealed


def store_pieces(state: State, command: StorePieces) -> None:
    for piece in command.pieces:
        user = state.users.get(piece.user)
        if user is None:
            raise AbsentError("the mail's user was deleted")
        check_key(state, user.market)
        key = (piece.user, piece.mail)
        state.pieces.setdefault(key, {})[piece.start] = bytes(piece.sealed)


def remove_pieces(state: State, command: RemovePieces) -> int:
    found = [
        (key, start)
        for key, pieces in state.pieces.items()
        for start in pieces
        if key[1] not in command.keep
    ][: command.limit]
    for key, start in found:
        del state.pieces[key][start]
    return len(found)


def delete(state: State, command: DeleteMail) -> int | None:
    found = state.mails.pop((command.user, command.uid), None)
    if found is None:
        return None
    following = (command.user, command.uid + 1)
    other = state.mails.get(following)
    if found.compatible or other is None or not other.compatible:
        return len(found.sealed)
    if other.received_ms != found.received_ms:
        return len(found.sealed)
    return len(found.sealed) + len(state.mails.pop(following).sealed)


def count(state: State, query: CountMail) -> int:
    mails = state.mails.items()
    return sum(user == query.user and not mail.compatible for (user, _), mail in mails)


COMMANDS = {
    DeleteMail: delete,
    StoreMail: store,
    StorePieces: store_pieces,
    RemovePieces: remove_pieces,
}


def used(state: State, query: UsedByMail) -> int:
    return sum(len(mail.sealed) for (user, _), mail in state.mails.items() if user == query.user)


QUERIES = {CountMail: count, ListMail: list_mail, ReadMail: read, UsedByMail: used}
