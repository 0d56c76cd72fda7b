"""How a call crosses into the native library, with fewer steps than the generated code takes.

Generated code hands a record over field by field through ctypes, and goes around the event loop twice
for an answer that is there. What it does so in its own module is replaced here, for every call at
once: :func:`replace`. The bytes and the calls of the library stay the same.

Knows the layout of the generated code, which one version of its generator is pinned for; what a call
means is not known here.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import struct
from collections.abc import Callable
from typing import Any, Self


def replace(native: Any) -> None:
    """Puts all of this in the place of what the generated code has."""
    native._uniffi_rust_call_with_error = _call(native)
    native._uniffi_rust_call_async = _call_async(native)
    writer, reader = _writer(native), _reader(native)
    native._UniffiRustBufferBuilder = writer
    native._UniffiRustBufferStream = reader
    lower, lift = _whole(writer, reader)
    native._UniffiConverterRustBuffer.lower = classmethod(lower)
    native._UniffiConverterRustBuffer.lift = classmethod(lift)


def _writer(native: Any) -> type:
    buffer, memmove = native._UniffiRustBuffer, ctypes.memmove

    class Writer:
        """Collects what is written and hands it over in one piece."""

        __slots__ = ("_bytes",)

        def __init__(self) -> None:
            self._bytes = bytearray()

        def finalize(self) -> Any:
            size = len(self._bytes)
            rust = buffer.alloc(size)
            memmove(rust.data, bytes(self._bytes), size)
            rust.len = size
            return rust

        def discard(self) -> None:
            self._bytes.clear()

        def write(self, value: bytes) -> None:
            self._bytes += value

    for name, layout in _NUMBERS.items():
        setattr(Writer, f"write_{name}", _write(struct.Struct(layout).pack))
    return Writer


def _write(pack: Callable[[Any], bytes]) -> Callable[[Any, Any], None]:
    def write(self: Any, value: Any) -> None:
        self._bytes += pack(value)

    return write


def _reader(native: Any) -> type:
    string_at = ctypes.string_at

    class Reader:
        """Takes everything over in one piece and reads from that."""

        __slots__ = ("_bytes", "_at")

        def __init__(self, data: bytes) -> None:
            self._bytes = data
            self._at = 0

        @classmethod
        def from_rust_buffer(cls, rust: Any) -> Self:
            size = rust.len
            return cls(string_at(rust.data, size) if size else b"")

        def remaining(self) -> int:
            return len(self._bytes) - self._at

        def end(self) -> None:
            if self._at != len(self._bytes):
                raise native.InternalError("junk data left in rust buffer")

        def read(self, size: int) -> bytes:
            end = self._at + size
            if end > len(self._bytes):
                raise native.InternalError("read past end of rust buffer")
            found = self._bytes[self._at : end]
            self._at = end
            return found

    for name, layout in _NUMBERS.items():
        setattr(Reader, f"read_{name}", _read(struct.Struct(layout), native.InternalError))
    return Reader


def _read(layout: struct.Struct, failure: type[Exception]) -> Callable[[Any], Any]:
    unpack, size = layout.unpack_from, layout.size

    def read(self: Any) -> Any:
        try:
            (value,) = unpack(self._bytes, self._at)
        except struct.error:
            raise failure("read past end of rust buffer") from None
        self._at += size
        return value

    return read


def _whole(writer: Any, reader: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """How a whole value goes over, and comes back."""

    def lower(converter: Any, value: Any) -> Any:
        into = writer()
        converter.write(value, into)
        return into.finalize()

    def lift(converter: Any, rust: Any) -> Any:
        try:
            of = reader.from_rust_buffer(rust)
        finally:
            rust.free()
        value = converter.read(of)
        of.end()
        return value

    return lower, lift


def _call(native: Any) -> Callable[..., Any]:
    status_type, byref = native._UniffiRustCallStatus, ctypes.byref
    check = native._uniffi_check_call_status

    def call(error_converter: Any, function: Any, *arguments: Any) -> Any:
        # All zero: a success, and no error.
        status = status_type()
        answer = function(*arguments, byref(status))
        if status.code:
            check(error_converter, status)
        return answer

    return call


class _Waiting:
    """An asynchronous call, while somebody waits for it."""

    __slots__ = ("loop", "done", "over", "_future", "_poll", "_wake")

    def __init__(self, future: int, poll: Any, wake: Any) -> None:
        self.loop = asyncio.get_running_loop()
        self.done = self.loop.create_future()
        self.over = False
        self._future = future
        self._poll = poll
        self._wake = wake

    def poll(self) -> None:
        """Looks whether it is done, on the loop. The library lets go of its future when it is over."""
        if not self.over:
            key = next(_keys)
            _waiting[key] = self
            self._poll(self._future, self._wake, key)

    def ready(self) -> None:
        if not self.over and not self.done.done():
            self.done.set_result(None)


#: Who is woken by what number. Single steps on a dict need no lock.
_waiting: dict[int, _Waiting] = {}
_keys = itertools.count(1)


def _call_async(native: Any) -> Callable[..., Any]:
    ready, call = native._UNIFFI_RUST_FUTURE_POLL_READY, native._uniffi_rust_call_with_error

    @native._UNIFFI_RUST_FUTURE_CONTINUATION_CALLBACK  # type: ignore[untyped-decorator]
    def wake(key: int, code: int) -> None:
        waiting = _waiting.pop(key)
        if code == ready:
            # Said while it is polled or let go of: on the thread of the loop.
            waiting.ready()
            return
        try:
            waiting.loop.call_soon_threadsafe(waiting.poll)
        except RuntimeError:
            # The loop was closed, and nobody waits any more.
            pass

    async def call_async(
        future: int, poll: Any, complete: Any, free: Any, lift: Any, error_converter: Any
    ) -> Any:
        waiting = _Waiting(future, poll, wake)
        try:
            waiting.poll()
            await waiting.done
            return lift(call(error_converter, complete, future))
        finally:
            waiting.over = True
            free(future)

    return call_async


#: Big-endian, as UniFFI writes them.
_NUMBERS = {
    "i8": ">b",
    "u8": ">B",
    "i16": ">h",
    "u16": ">H",
    "i32": ">i",
    "u32": ">I",
    "i64": ">q",
    "u64": ">Q",
    "float": ">f",
    "double": ">d",
}
