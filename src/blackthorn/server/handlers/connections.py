"""All link connections of a server: counted by device, checked, and ended."""

from collections.abc import Callable
from typing import Final, TypeVar

from blackthorn.errors import StorageError
from blackthorn.ids import Address, DeviceId
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.session import State
from blackthorn.server import limits as server_limits
from blackthorn.server.counters import Counters
from blackthorn.server.handlers import limits
from blackthorn.server.handlers.errors import farewell
from blackthorn.server.handlers.session import Session, Wire

Key = TypeVar("Key")

IDLE_CHECK_SECONDS: Final = 10.0
"""Period of the check for silent sessions."""


class Connections:
    """The open sessions. `on_end` is called once for each that ends."""

    def __init__(self, counters: Counters, on_end: Callable[[Session], None]) -> None:
        self._counters = counters
        self._on_end = on_end
        self._sessions: set[Session] = set()
        self._opening: set[Session] = set()
        self._paused: set[Session] = set()
        self._by_device: dict[DeviceId, list[Session]] = {}
        self._by_user: dict[Address, list[Session]] = {}
        self._idle_check_at = 0.0
        self._stopping = False

    def connect(
        self,
        wire: Wire,
        binding: bytes,
        now: float,
        client: str,
        work_off: Callable[[Session], None],
    ) -> Session:
        """A new connection, closed when the server stops or has too many."""
        session = Session(wire, binding, now, client, work_off, self.fail)
        self._counters.connections_total += 1
        if self._stopping or len(self._sessions) >= server_limits.MAX_CONNECTIONS:
            self._counters.connections_refused += 1
            session.close(Code.STOPPING if self._stopping else Code.BUSY)
            return session
        self._sessions.add(session)
        self._opening.add(session)
        self._counters.connections = len(self._sessions)
        return session

    def open(self, session: Session) -> None:
        """The session's device is known; one link too many closes its oldest."""
        self._opening.discard(session)
        device = session.device
        if device is None or session not in self._sessions:
            return
        of_device = self._by_device.setdefault(device.id, [])
        of_device.append(session)
        self._by_user.setdefault(device.address, []).append(session)
        if len(of_device) > limits.MAX_LINKS_PER_DEVICE:
            oldest = of_device[0]
            oldest.close(Code.BUSY, "this device has opened too many links")
            self.disconnect(oldest)

    def disconnect(self, session: Session) -> None:
        """The connection has ended, from either side."""
        self._opening.discard(session)
        self._sessions.discard(session)
        self._paused.discard(session)
        session.link.close()  # pending work for it finds it closed
        if session.device is not None:
            _take_out(self._by_device, session.device.id, session)
            _take_out(self._by_user, session.device.address, session)
        self._on_end(session)
        self._counters.connections = len(self._sessions)

    def cut(self, session: Session, code: Code, text: str = "") -> None:
        """End a session by a fault of its peer or of the server."""
        self._counters.links_cut += 1
        session.close(code, text)
        self.disconnect(session)

    def fail(self, session: Session, error: Exception) -> None:
        """End a session with the error's code."""
        self._counters.storage_failures += isinstance(error, StorageError)
        self.cut(session, *farewell(error))

    def stop(self) -> None:
        """Refuse new connections and close all."""
        self._stopping = True
        for session in list(self._sessions):
            session.close(Code.STOPPING)
            self.disconnect(session)

    def receiving(self, device: DeviceId) -> Session | None:
        """The session to which the device's parcels go."""
        for session in self._by_device.get(device, ()):
            if session.link.state is State.RECEIVING:
                return session
        return None

    def of_user(self, address: Address) -> tuple[Session, ...]:
        return tuple(self._by_user.get(address, ()))

    def with_device(self) -> list[Session]:
        """All sessions whose device is known."""
        return [session for sessions in self._by_device.values() for session in sessions]

    def end_device(self, device: DeviceId, code: Code) -> None:
        for session in tuple(self._by_device.get(device, ())):
            session.close(code)
            self.disconnect(session)

    def pause(self, session: Session, now: float) -> None:
        """The peer does not read."""
        session.pause(now)
        self._paused.add(session)

    def unpause(self, session: Session) -> None:
        """The peer reads again."""
        session.pause(None)
        self._paused.discard(session)

    def check(self, now: float) -> None:
        """End sessions that are silent, or do not read, for too long."""
        for session in [paused for paused in self._paused if paused.paused_since is not None]:
            if now - (session.paused_since or now) > limits.LINK_WRITE_SECONDS:
                self.cut(session, Code.NOT_READING)
        self._check(self._opening, now)
        if now >= self._idle_check_at:
            self._idle_check_at = now + IDLE_CHECK_SECONDS
            self._check(self._sessions, now)

    def _check(self, sessions: set[Session], now: float) -> None:
        silent: list[tuple[Session, LinkError]] = []
        for session in sessions:
            try:
                session.link.check(now)
            except LinkError as error:
                silent.append((session, error))
        for session, fault in silent:
            self.cut(session, fault.code, str(fault))


def _take_out(sessions: dict[Key, list[Session]], key: Key, session: Session) -> None:
    of_key = sessions.get(key, [])
    if session in of_key:
        of_key.remove(session)
        if not of_key:
            del sessions[key]
