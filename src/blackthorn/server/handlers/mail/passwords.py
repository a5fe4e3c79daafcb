"""Link handler: a device keeps, ends and lists its user's app passwords."""

from dataclasses import dataclass

from blackthorn.errors import BlackthornError, InputError, RefusalError
from blackthorn.link import frames as f
from blackthorn.ports.enterprise import UserRecord
from blackthorn.ports.outbound.passwords import AppPassword
from blackthorn.ports.store import unless_failed
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.handlers.session import Session
from blackthorn.server.outbound.passwords import AppPasswords


@dataclass(frozen=True, slots=True)
class AppPasswordHandler:
    passwords: AppPasswords
    enterprise: EnterpriseCache

    def handle(self, session: Session, frame: f.AskAppPasswords, now: float) -> None:
        """Serve one frame of a known device; its peer waits for the answer."""
        if session.device is None:
            return

        def loaded(user: UserRecord | None) -> None:
            if user is None:
                session.answered()
            else:
                self._change(session, user, frame)

        session.ask()
        done = unless_failed(session.fail, loaded)
        self.enterprise.load_user(session.device.address, done)

    def _change(self, session: Session, user: UserRecord, frame: f.AskAppPasswords) -> None:
        def changed(result: BlackthornError | bool | None) -> None:
            if isinstance(result, InputError | RefusalError):
                session.answer(f.AppPasswordList(frame.request, [], str(result)[:512]))
            elif isinstance(result, BlackthornError):
                session.fail(result)
            elif result is False:
                text = f"there is no app password {frame.revoke}"
                session.answer(f.AppPasswordList(frame.request, [], text))
            else:
                self._list(session, user, frame)

        if frame.keep:
            secrets = frame.salt, frame.verifier
            if tuple(map(len, secrets)) != (16, 32):
                changed(InputError("the app password has no verifier"))
            else:
                self.passwords.keep(user, frame.keep, *secrets, changed)
        elif frame.revoke:
            self.passwords.revoke(user, frame.revoke, changed)
        else:
            self._list(session, user, frame)

    def _list(self, session: Session, user: UserRecord, frame: f.AskAppPasswords) -> None:
        def answer(found: list[AppPassword]) -> None:
            entries = [f.AppPasswordEntry(one.name, one.created_ms, one.used_day) for one in found]
            session.answer(f.AppPasswordList(frame.request, entries))

        self.passwords.listed(user, unless_failed(session.fail, answer))
