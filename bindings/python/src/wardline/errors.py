"""Everything that can go wrong, as exceptions.

Catch :class:`WardlineError` for all of it, or one domain. Decide by ``code``, which never changes its
meaning, or by ``recovery``; show neither ``detail`` nor ``str(error)`` to users: they are for logs, in
English, and name nobody.
"""

from __future__ import annotations

import enum
from datetime import timedelta
from typing import Any


class Recovery(enum.Enum):
    """What helps."""

    RETRY = "retry"
    UNLOCK = "unlock"
    CHANGE_THE_MESSAGE = "change the message"
    CHOOSE_ANOTHER_RECIPIENT = "choose another recipient"
    FREE_SPACE = "free space"
    ENROLL = "enroll"
    UPDATE_THE_APP = "update the app"
    ASK_THE_ADMINISTRATOR = "ask the administrator"
    ASK_THE_DEVELOPER = "ask the developer"


class WardlineError(Exception):
    """An error of Wardline."""

    #: The stable code, such as ``WL-SEND-TOO-LONG``.
    code: str
    #: For a developer's log, without names, texts or secrets.
    detail: str
    #: Whether the same call may succeed later without anybody doing anything.
    retryable: bool
    #: What a person or the app can do about it.
    recovery: Recovery

    def __init__(self, code: str, detail: str, retryable: bool, recovery: Recovery) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.retryable = retryable
        self.recovery = recovery

    def _take(self, native: Any) -> None:
        """Takes over what only this domain has."""


class SendError(WardlineError):
    """A message was not taken; nothing was kept of it."""

    #: Bytes of the text, when it is too long.
    length: int | None = None
    #: What the policy allows, when it is too long.
    limit: int | None = None

    def _take(self, native: Any) -> None:
        self.length, self.limit = native.length, native.limit


class LockedError(WardlineError):
    """Nobody may read: unlock first."""


class EnrollmentError(WardlineError):
    """There is no device in this folder, or there is one already."""


class WipedError(WardlineError):
    """The organization had this device erased: nothing is left of it."""


class PassphraseError(WardlineError):
    """The passphrase is wrong or empty."""

    #: Wrong ones since the last right one, as the key store counts them.
    attempts: int | None = None

    def _take(self, native: Any) -> None:
        self.attempts = native.attempts


class KeyStoreError(WardlineError):
    """The platform's key store did not do its part."""

    #: The platform's own number, for support.
    status: int | None = None

    def _take(self, native: Any) -> None:
        self.status = native.status


class VaultError(WardlineError):
    """The keys at rest refused: the file is missing, damaged, or of another version."""

    #: The format found, when a newer version wrote it.
    found: int | None = None

    def _take(self, native: Any) -> None:
        self.found = native.found


class StoreError(WardlineError):
    """The database refused."""

    #: The schema found, when a newer version wrote it.
    found: int | None = None
    #: The newest schema that this version knows, when a newer version wrote it.
    known: int | None = None

    def _take(self, native: Any) -> None:
        self.found, self.known = native.found, native.known


class NetworkError(WardlineError):
    """The relay did not answer, or not in a way that makes sense."""


class RelayError(WardlineError):
    """The relay refused."""

    #: Try again after this long, when the relay says so.
    retry_after: timedelta | None = None
    #: The limit that was exceeded, when there is one.
    limit: int | None = None

    def _take(self, native: Any) -> None:
        if native.retry_after_ms is not None:
            self.retry_after = timedelta(milliseconds=native.retry_after_ms)
        self.limit = native.limit


class DirectoryError(WardlineError):
    """The relay showed a directory that is not believed."""

    #: The head that is believed, when an older one was offered.
    held: int | None = None
    #: The head that was offered.
    offered: int | None = None

    def _take(self, native: Any) -> None:
        self.held, self.offered = native.held, native.offered


class ProofError(WardlineError):
    """A message proves nothing to whoever verifies it."""

    #: What does not hold, in a stable word such as ``revoked``.
    reason: str = ""

    def _take(self, native: Any) -> None:
        self.reason = native.reason


class NotFoundError(WardlineError):
    """There is no such message, conversation or device here."""


class ArgumentError(WardlineError, ValueError):
    """An argument does not have the form it must have."""

    #: Which one.
    name: str = ""

    def _take(self, native: Any) -> None:
        self.name = native.name


class ClosedError(WardlineError):
    """The client, or the whole library, was shut down."""


class ForkedError(ClosedError):
    """The process was forked after Wardline was loaded: use the start method ``spawn``."""


class WaitCancelledError(WardlineError):
    """A wait was given up by a cancel token. (Cancelling a task raises ``asyncio.CancelledError``.)"""


class AuthorityError(WardlineError):
    """The organization's signing side refused."""


class DefectError(WardlineError):
    """A fault of Wardline, or something the operating system should not do. Report it."""


_DOMAINS: dict[str, type[WardlineError]] = {
    "Send": SendError,
    "Locked": LockedError,
    "Enrollment": EnrollmentError,
    "Wiped": WipedError,
    "PassphraseRefused": PassphraseError,
    "KeyStore": KeyStoreError,
    "Vault": VaultError,
    "Store": StoreError,
    "Network": NetworkError,
    "Relay": RelayError,
    "Directory": DirectoryError,
    "Proof": ProofError,
    "NotFound": NotFoundError,
    "Argument": ArgumentError,
    "Closed": ClosedError,
    "Cancelled": WaitCancelledError,
    "Authority": AuthorityError,
    "Defect": DefectError,
}


def from_native(native: Any) -> WardlineError:
    """The exception of this package for one of the native library."""
    kind = _DOMAINS.get(type(native).__name__, DefectError)
    if native.code == "WL-FORKED":
        kind = ForkedError
    recovery = Recovery[native.recovery.name]
    error = kind(native.code, native.detail, native.retryable, recovery)
    error._take(native)
    return error


def forked() -> ForkedError:
    """For whoever uses Wardline in a forked process."""
    detail = "the process was forked after Wardline was loaded; start a fresh one (spawn)"
    return ForkedError("WL-FORKED", detail, False, Recovery.ASK_THE_DEVELOPER)


def defect(detail: str) -> DefectError:
    """For what should not have happened."""
    return DefectError("WL-DEFECT", detail, False, Recovery.ASK_THE_DEVELOPER)
