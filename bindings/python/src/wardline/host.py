"""What the host brings: an HTTP stack and a key store, the built-in ones or its own.

Subclass :class:`Transport` or :class:`KeyStore`; their methods may be coroutines (they run on the loop
the client was opened on) or plain functions (they run in a thread). Whatever they raise besides the
exceptions named here, and whatever they return that makes no sense, becomes an error of the call that
needed them; it never ends the process and is logged by the logger ``wardline``.
"""

from __future__ import annotations

import abc
import asyncio
import enum
import inspect
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from ._bridge import do, host_loop, native

_log = logging.getLogger("wardline")


@dataclass(frozen=True, slots=True)
class RelayRequest:
    """One HTTP ``POST``: send path, headers and body exactly as they are."""

    #: Absolute path, such as ``/wardline.v1.Relay/Send``.
    path: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RelayResponse:
    """The answer: a status other than 200 is an answer too."""

    status: int
    body: bytes = field(repr=False)


class TransportFailure(Exception):
    """Why nothing came back."""


class Unreachable(TransportFailure):
    """The relay could not be reached; it has not seen the call."""


class Interrupted(TransportFailure):
    """The connection broke, or the answer took too long; the relay may have carried the call out."""


class TooLarge(TransportFailure):
    """The answer is larger than the transport takes."""


class Refused(TransportFailure):
    """The transport refuses to send this, or the other side's certificate is not trusted."""


class Transport(abc.ABC):
    """Carries calls to one relay.

    It interprets nothing, follows no redirects, and lets a call take at least a minute: the relay holds
    a long poll for up to 50 seconds.
    """

    @abc.abstractmethod
    def call(self, request: RelayRequest) -> Awaitable[RelayResponse] | RelayResponse:
        """Posts one request and returns the whole response; raises a :class:`TransportFailure`."""


class KeyPurpose(enum.Enum):
    """When the platform lets a wrapped secret be opened."""

    #: From the first unlock of the device after it started, with nobody present. Never prompts.
    INBOX = "inbox"
    #: While the device is unlocked; opened together with a passphrase.
    READING = "reading"
    #: Only when the platform has recognized the person.
    PRESENCE = "presence"


class KeyStoreProblem(enum.Enum):
    """Why a key store did not do what it was asked."""

    REFUSED = "refused"
    #: The person dismissed the prompt.
    DISMISSED = "dismissed"
    #: Not now: the device is locked, or was not unlocked since it started.
    UNAVAILABLE = "unavailable"
    #: The platform's key does not open this.
    NOT_MINE = "not mine"
    FAILED = "failed"


class KeyStoreRefusal(Exception):
    """What a :class:`KeyStore` raises."""

    def __init__(self, problem: KeyStoreProblem, status: int = 0) -> None:
        super().__init__(problem.value)
        self.problem = problem
        #: The platform's own number, for support.
        self.status = status


class KeyStore(abc.ABC):
    """Wraps small secrets under keys that the platform guards, and counts failed passphrases.

    One for each device of each person. Calls come from several threads at once.
    """

    @abc.abstractmethod
    def wrap(self, purpose: KeyPurpose, secret: bytes) -> Awaitable[bytes] | bytes:
        """Wraps 32 bytes under the key for ``purpose``, creating that key when there is none."""

    @abc.abstractmethod
    def unwrap(self, purpose: KeyPurpose, wrapped: bytes) -> Awaitable[bytes] | bytes:
        """The secret that ``wrap`` was given for the same purpose; ``NOT_MINE`` for anything else."""

    @abc.abstractmethod
    def erase(self, purpose: KeyPurpose) -> Awaitable[None] | None:
        """Destroys the key for ``purpose``. Fine when there is none."""

    @abc.abstractmethod
    def attempts(self) -> Awaitable[int] | int:
        """How many passphrases were tried since the last success."""

    @abc.abstractmethod
    def count_attempt(self) -> Awaitable[int] | int:
        """Adds one to the counter, durably and before returning, and tells the new count."""

    @abc.abstractmethod
    def reset_attempts(self) -> Awaitable[None] | None:
        """Sets the counter to zero."""


def http_transport(
    url: str, *, extra_roots_pem: tuple[bytes, ...] = (), allow_plaintext: bool = False
) -> Transport:
    """The built-in HTTPS transport, to a relay such as ``https://relay.mercy.example``.

    ``extra_roots_pem`` are certificates that are trusted besides the system's; ``allow_plaintext``
    allows ``http://`` to other machines, where a proxy speaks TLS.
    """
    options = native.HttpOptions(
        extra_roots_pem=list(extra_roots_pem), allow_plaintext=allow_plaintext
    )
    return BuiltInTransport(do(lambda: native.http_transport(url, options)))


def file_key_store(folder: str | os.PathLike[str]) -> KeyStore:
    """A key store in a folder that only this user can read, for servers and tests.

    It protects against whoever gets the data folder without this one.
    """
    return BuiltInKeyStore(do(lambda: native.file_key_store(os.fspath(folder))))


# Built in: never crosses into Python when the library calls it.


class BuiltInTransport(Transport):
    """A transport of the native library."""

    def __init__(self, inside: Any) -> None:
        self.native = inside

    async def call(self, request: RelayRequest) -> RelayResponse:
        headers = [native.HttpHeader(name=name, value=value) for name, value in request.headers]
        record = native.RelayRequest(path=request.path, headers=headers, body=request.body)
        try:
            answer = await self.native.call(record)
        except native.TransportError as error:
            raise _FAILURES[type(error).__name__] from None
        return RelayResponse(answer.status, answer.body)


class BuiltInKeyStore(KeyStore):
    """A key store of the native library."""

    def __init__(self, inside: Any) -> None:
        self.native = inside

    async def wrap(self, purpose: KeyPurpose, secret: bytes) -> bytes:
        inside = native.SecretBytes(secret)
        return bytes(await _refusing(self.native.wrap(native.KeyPurpose[purpose.name], inside)))

    async def unwrap(self, purpose: KeyPurpose, wrapped: bytes) -> bytes:
        opened = await _refusing(self.native.unwrap(native.KeyPurpose[purpose.name], wrapped))
        return bytes(opened.copy())

    async def erase(self, purpose: KeyPurpose) -> None:
        await _refusing(self.native.erase(native.KeyPurpose[purpose.name]))

    async def attempts(self) -> int:
        return int(await _refusing(self.native.attempts()))

    async def count_attempt(self) -> int:
        return int(await _refusing(self.native.count_attempt()))

    async def reset_attempts(self) -> None:
        await _refusing(self.native.reset_attempts())


async def _refusing(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except native.KeyStoreError as error:
        problem = _PROBLEMS[type(error).__name__]
        raise KeyStoreRefusal(problem, getattr(error, "status", 0)) from None


_FAILURES: dict[str, type[TransportFailure]] = {
    "Unreachable": Unreachable,
    "Interrupted": Interrupted,
    "TooLarge": TooLarge,
    "Refused": Refused,
}
_PROBLEMS: dict[str, KeyStoreProblem] = {
    "Refused": KeyStoreProblem.REFUSED,
    "Dismissed": KeyStoreProblem.DISMISSED,
    "Unavailable": KeyStoreProblem.UNAVAILABLE,
    "NotMine": KeyStoreProblem.NOT_MINE,
    "Failed": KeyStoreProblem.FAILED,
}


# The host's own: what the native library calls.


def native_transport(transport: Transport) -> Any:
    """What the native library is given for a transport; called on the loop of the client."""
    if isinstance(transport, BuiltInTransport):
        return transport.native
    return _TransportAdapter(transport, asyncio.get_running_loop())


def native_key_store(key_store: KeyStore) -> Any:
    """What the native library is given for a key store; called on the loop of the client."""
    if isinstance(key_store, BuiltInKeyStore):
        return key_store.native
    return _KeyStoreAdapter(key_store, asyncio.get_running_loop())


class _TransportAdapter(native.Transport):  # type: ignore[misc]
    def __init__(self, transport: Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        host_loop()

    async def call(self, request: Any) -> Any:
        asked = RelayRequest(
            path=request.path,
            headers=tuple((header.name, header.value) for header in request.headers),
            body=request.body,
        )
        try:
            answer = await _on(self._loop, self._transport.call, asked)
            status = _number(answer.status, most=0xFFFF)
            return native.RelayResponse(status=status, body=_bytes(answer.body))
        except TransportFailure as failure:
            raise getattr(native.TransportError, _name_of(failure))() from None
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            raise native.TransportError.Interrupted() from None
        except Exception as error:
            _log.warning("the transport raised %s", type(error).__name__, exc_info=error)
            raise native.TransportError.Interrupted() from None


class _KeyStoreAdapter(native.KeyStore):  # type: ignore[misc]
    def __init__(self, key_store: KeyStore, loop: asyncio.AbstractEventLoop) -> None:
        self._key_store = key_store
        self._loop = loop
        host_loop()

    async def wrap(self, purpose: Any, secret: Any) -> bytes:
        kind = KeyPurpose[purpose.name]
        wrapped: bytes = await self._ask(_bytes, self._key_store.wrap, kind, secret.copy())
        return wrapped

    async def unwrap(self, purpose: Any, wrapped: bytes) -> Any:
        kind = KeyPurpose[purpose.name]
        secret = await self._ask(_bytes, self._key_store.unwrap, kind, wrapped)
        return native.SecretBytes(secret)

    async def erase(self, purpose: Any) -> None:
        await self._ask(_nothing, self._key_store.erase, KeyPurpose[purpose.name])

    async def attempts(self) -> int:
        return int(await self._ask(_number, self._key_store.attempts))

    async def count_attempt(self) -> int:
        return int(await self._ask(_number, self._key_store.count_attempt))

    async def reset_attempts(self) -> None:
        await self._ask(_nothing, self._key_store.reset_attempts)

    async def _ask(
        self, read: Callable[[Any], Any], method: Callable[..., Any], *arguments: Any
    ) -> Any:
        try:
            # What makes no sense is the key store's failure, and never gets as far as the library.
            return read(await _on(self._loop, method, *arguments))
        except KeyStoreRefusal as refusal:
            if refusal.problem is KeyStoreProblem.FAILED:
                raise native.KeyStoreError.Failed(refusal.status) from None
            raise getattr(native.KeyStoreError, _native_name(refusal.problem))() from None
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            raise native.KeyStoreError.Failed(0) from None
        except Exception as error:
            _log.warning("the key store raised %s", type(error).__name__, exc_info=error)
            raise native.KeyStoreError.Failed(0) from None


def _bytes(answer: Any) -> bytes:
    # `bytes(7)` would be seven zeros.
    if not isinstance(answer, (bytes, bytearray, memoryview)):
        raise TypeError(f"bytes were wanted, not {type(answer).__name__}")
    return bytes(answer)


def _number(answer: Any, *, most: int = 0xFFFF_FFFF) -> int:
    if not isinstance(answer, int):
        raise TypeError(f"a number was wanted, not {type(answer).__name__}")
    if not 0 <= answer <= most:
        raise ValueError(f"the number must be from 0 to {most}")
    return answer


def _nothing(answer: Any) -> None:
    return None


def _name_of(failure: TransportFailure) -> str:
    names = (name for name, kind in _FAILURES.items() if isinstance(failure, kind))
    return next(names, "Interrupted")


def _native_name(problem: KeyStoreProblem) -> str:
    return next(name for name, known in _PROBLEMS.items() if known is problem)


def _is_cancelled() -> bool:
    """Whether the library gave this callback up, or the host's code raised by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _on(
    loop: asyncio.AbstractEventLoop, method: Callable[..., Any], *arguments: Any
) -> Any:
    """Runs the host's code where it belongs: coroutines on its loop, functions in a thread."""
    if inspect.iscoroutinefunction(method):
        if not loop.is_running():
            raise Unreachable("the event loop of the client does not run")
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(method(*arguments), loop)
        )
    done: Future[Any] = Future()

    def work() -> None:
        try:
            done.set_result(method(*arguments))
        except BaseException as error:
            done.set_exception(error)

    # A daemon: a function that hangs must not keep the interpreter from ending.
    threading.Thread(target=work, name="wardline-host-call", daemon=True).start()
    found = await asyncio.wrap_future(done)
    if inspect.isawaitable(found):
        return await _on(loop, _await, found)
    return found


async def _await(found: Awaitable[Any]) -> Any:
    return await found
