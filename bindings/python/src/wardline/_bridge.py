"""Between this package and the native library: which one, on which event loop, and for how long.

Two things of the generated code are put right here, for every call at once:

* It runs callbacks of the library (a transport written in Python, say) on one event loop for the
  whole process, which may be closed by then. Here they start on a loop of this package's own, in a
  thread of its own, and go from there to the loop the client was opened on (:mod:`wardline.host`).
* A loop that was set wins over the running one, which breaks whoever has two. Here the running one
  always wins.

How a call crosses is put right in :mod:`wardline._calls`. What a call means is not known here.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib.util
import os
import threading
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

from . import _calls, errors

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def _choose() -> Any:
    """The library of ``wardline-testing`` when that package is there: it has all that ours has."""
    name = "wardline._native_testing"
    if importlib.util.find_spec(name) is None:
        name = "wardline._native"
    return importlib.import_module(name)


_package: Any = _choose()
native: Any = _package.wardline_ffi
_calls.replace(native)


def library_version() -> str:
    """The version of the native library."""
    return str(native.library_version())


def has_testing() -> bool:
    """Whether the native library has a relay in a box (the package ``wardline-testing``)."""
    return hasattr(native, "TestRelay")


async def run(call: Callable[[], Awaitable[T]]) -> T:
    """Makes an asynchronous call of the library; its errors become ours."""
    if os.getpid() != _process:
        raise errors.forked()
    try:
        return await call()
    except native.WardlineError as error:
        raise errors.from_native(error) from None
    except native.InternalError as error:
        raise errors.defect(str(error)) from None


def do(call: Callable[[], T]) -> T:
    """Makes a synchronous call of the library; its errors become ours."""
    if os.getpid() != _process:
        raise errors.forked()
    try:
        return call()
    except native.WardlineError as error:
        raise errors.from_native(error) from None
    except native.InternalError as error:
        raise errors.defect(str(error)) from None


class _HostLoop(asyncio.SelectorEventLoop):
    """Runs, in a thread of its own, what the library calls back."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.Thread(target=self._serve, name="wardline-host", daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self)
        self.run_forever()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        # Generated code calls this from threads of the library to cancel a callback.
        if threading.current_thread() is self.thread:
            return super().call_soon(callback, *args, context=context)
        return self.call_soon_threadsafe(callback, *args, context=context)


_lock = threading.Lock()
_host_loop: _HostLoop | None = None
_process = os.getpid()


def host_loop() -> asyncio.AbstractEventLoop:
    """The loop that callbacks of the library start on."""
    global _host_loop
    with _lock:
        if _host_loop is None:
            _host_loop = _HostLoop()
        return _host_loop


def _event_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return host_loop()


# Looked up by the generated code in its own module, at every call.
native._uniffi_get_event_loop = _event_loop


def _at_exit() -> None:
    # A thread of the library that calls back while the interpreter goes away would abort the process.
    if os.getpid() == _process:
        native.stop_runtime(STOP_WITHIN_MS)


atexit.register(_at_exit)

#: What is being written when the interpreter ends has this long to arrive on the disk.
STOP_WITHIN_MS = 3000
