"""`ports.mail` in memory."""

from blackthorn.errors import AbsentError, DamageError
from blackthorn.ports.mail import ListMail, MailHead, MailPart, ReadMail, StoreMail, UsedByMail
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
        uid = state.last_uid.get(mail.user, 0) + 1
        state.last_uid[mail.user] = uid
        sealed = bytes(mail.sealed)
        state.mails[mail.user, uid] = Mail(command.received_ms, user.market, sealed)
        uids.append(uid)
    return uids


def list_mail(state: State, query: ListMail) -> list[MailHead]:
    found = [
        MailHead(uid, len(mail.sealed), mail.received_ms)
        for (user, uid), mail in sorted(state.mails.items())
        if user == query.user and uid > query.after
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


COMMANDS = {StoreMail: store}


def used(state: State, query: UsedByMail) -> int:
    return sum(len(mail.sealed) for (user, _), mail in state.mails.items() if user == query.user)


QUERIES = {ListMail: list_mail, ReadMail: read, UsedByMail: used}
