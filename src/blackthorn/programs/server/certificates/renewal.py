"""ACME: the certificate is ordered when it is missing, and renewed before it ends.

A failure is stored with the time of the next attempt, so that restarts do not hurry the authority.
"""

import asyncio
import contextlib
import datetime
import secrets
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from blackthorn.crypto import certificates
from blackthorn.crypto.certificates import CertificateError, Fault, Problem
from blackthorn.crypto.secret import Secret
from blackthorn.edges.acme import client
from blackthorn.errors import BlackthornError, DefectError, defect
from blackthorn.programs.server.certificates import limits, sources
from blackthorn.programs.server.certificates.serving import Now, utc_now
from blackthorn.programs.server.settings.tls import TlsSettings
from blackthorn.server.counters import Counters
from blackthorn.storage.files.certificates import CertificateFiles


class Attempt(msgspec.Struct, frozen=True):
    """The last attempt; `due` is when the next may be. Times in seconds since 1970."""

    tried: int = 0
    failures: int = 0
    error: str = ""
    due: int = 0


class Renewal:
    """Orders certificates of one server. `answers` are served by `edges.acme.challenge_app`."""

    def __init__(
        self,
        settings: TlsSettings,
        domain: str,
        server: Path,
        counters: Counters,
        now: Now = utc_now,
    ) -> None:
        roots = str(server / settings.acme_roots) if settings.acme_roots else ""
        self._authority = client.Authority(settings.acme, roots, settings.acme_contact)
        self._names: Final = settings.names(domain)
        self._files = CertificateFiles(server)
        self._source = sources.configured(settings, server)
        self._counters = counters
        self._now = now
        self._look = 0
        """When it is next looked whether a renewal is due, in seconds since 1970."""
        self.answers: Final[dict[str, str]] = {}

    async def renew_and_rest(self) -> None:
        """Renew if that is due or asked for, and wait a moment. Raises StorageError."""
        if self._asked() or self._due():
            await self.renew()
        await asyncio.sleep(limits.WATCH_SECONDS)

    def _asked(self) -> bool:
        asked = self._files.request.exists()
        if asked:
            self._files.remove(self._files.request)
        return asked

    def _due(self) -> bool:
        now = self._now()
        if not _reached(self._look, now, limits.LOOK_SECONDS):
            return False
        self._look = int(now.timestamp()) + limits.LOOK_SECONDS
        due = last_attempt(self._files).due
        if not _reached(due, now, limits.LONGEST_RETRY_SECONDS):
            self._look = min(self._look, due)
            return False
        try:
            stored = sources.load(self._source, self._names)
        except CertificateError:  # none yet, or none that can be used
            return True
        return sources.renewal_due(stored.certificate, self._names, now)

    async def renew(self) -> Attempt:
        """Order a certificate and store it; the outcome is stored too. Raises StorageError."""
        before = last_attempt(self._files)
        now = int(self._now().timestamp())
        try:
            await self._order()
        except (BlackthornError, OSError) as error:
            if isinstance(error, DefectError):
                raise
            pause = limits.FIRST_RETRY_SECONDS << min(before.failures, 16)
            pause = min(pause, limits.LONGEST_RETRY_SECONDS)
            done = Attempt(now, before.failures + 1, str(error), now + pause)
            self._look = min(self._look, done.due)
            self._counters.certificate_renewals_failed += 1
            logger = structlog.get_logger()
            logger.warning("certificate_renewal_failed", reason=done.error, retry_seconds=pause)
        else:
            done = Attempt(now)
            structlog.get_logger().info("certificate_renewed", names=list(self._names))
        self._files.write(self._files.renewal, msgspec.json.encode(done))
        return done

    async def _order(self) -> None:
        files = self._files
        account_key = _stored_key(files.read(files.account_key))
        if account_key is None:
            account_key = certificates.make_key(secrets.token_bytes)
            files.write(files.account_key, account_key.expose())
        # The key stays at a renewal: a TLSA record that names it (RFC 7671, 5.1) stays right.
        key = _stored_key(files.read(files.acme)) or certificates.make_key(secrets.token_bytes)
        chain = await in_thread(lambda: self._obtain(account_key, key, self._names))
        fresh = certificates.parse(chain, key)
        faults = certificates.problems(fresh, self._names, self._now(), True)
        if faults:
            text = f"the authority issued a certificate that cannot be used: {faults[0].text}"
            raise CertificateError(Problem(Fault.UNREADABLE, text))
        files.write(files.acme, key.expose() + chain)

    def _obtain(self, account_key: Secret, key: Secret, names: Sequence[str]) -> bytes:
        return client.obtain(self._authority, account_key, key, names, self.answers)


def last_attempt(files: CertificateFiles) -> Attempt:
    """What is stored of it; nothing if there was none, or it is damaged. Raises DiskError."""
    try:
        return msgspec.json.decode(files.read(files.renewal) or b"{}", type=Attempt)
    except msgspec.MsgspecError:
        return Attempt()


def _reached(at: int, now: datetime.datetime, most: int) -> bool:
    """Whether `at`, set at most `most` seconds ahead, has come; the clock may have been set back.

    `at` is in seconds since 1970.
    """
    return not 0 < at - now.timestamp() <= most


def _stored_key(pem: bytes | None) -> Secret | None:
    try:
        return None if pem is None else sources.key_of(pem)
    except ValueError:
        return None


async def in_thread(work: Callable[[], bytes]) -> bytes:
    """The result of blocking `work`, in a thread that does not hold up the program's end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes] = loop.create_future()

    def settle(result: bytes | BlackthornError) -> None:
        if done.cancelled():
            return
        if isinstance(result, bytes):
            done.set_result(result)
        else:
            done.set_exception(result)

    def run() -> None:
        result: bytes | BlackthornError
        try:
            result = work()
        except Exception as error:
            result = error if isinstance(error, BlackthornError) else defect(error)
        with contextlib.suppress(RuntimeError):  # the program has ended meanwhile
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=run, name="ACME", daemon=True).start()
    return await done
