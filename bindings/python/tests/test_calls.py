"""How calls cross into the library: the bytes are those of the generated code, and nobody is left waiting."""

from __future__ import annotations

import asyncio
import ctypes
import time
from typing import Any

import pytest
from conftest import Ward
from wardline import Person
from wardline._bridge import native
from wardline._calls import _waiting


def rust(content: bytes) -> Any:
    buffer = native._UniffiRustBuffer.alloc(len(content))
    ctypes.memmove(buffer.data, content, len(content))
    buffer.len = len(content)
    return buffer


def await_nothing(before: int) -> None:
    """Keeps the loop from running until every answer has come."""
    while len(_waiting) > before:
        time.sleep(0.001)


def test_numbers_and_texts_go_over_as_the_library_reads_them() -> None:
    writer = native._UniffiRustBufferBuilder()
    writer.write_u8(255)
    writer.write_i32(-2)
    writer.write_u64(2**64 - 1)
    writer.write(b"text")
    buffer = writer.finalize()
    assert buffer.data[0 : buffer.len] == b"\xff" + b"\xff\xff\xff\xfe" + b"\xff" * 8 + b"text"
    reader = native._UniffiRustBufferStream.from_rust_buffer(buffer)
    read = (reader.read_u8(), reader.read_i32(), reader.read_u64(), reader.read(4), reader.remaining())
    buffer.free()
    assert read == (255, -2, 2**64 - 1, b"text", 0)


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\0", b"\0\0\0\1", b"\0\0\0\1\0\0\0\5four", b"\0\0\0\1\0\0\0\4four!"]
)
def test_what_is_cut_off_or_too_long_is_an_error_and_never_half_a_value(content: bytes) -> None:
    # A recipient: which kind, and a text with its length before it.
    with pytest.raises(native.InternalError):
        native._UniffiFfiConverterTypeRecipient.lift(rust(content))


async def test_a_call_that_is_given_up_leaves_nobody_waiting(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    for event in await nurse.client.events_from():
        await nurse.client.confirm(event)
    before = len(_waiting)
    calls = [asyncio.create_task(nurse.client.next_events()) for _ in range(50)]
    await asyncio.sleep(0)
    assert len(_waiting) == before + 50
    for call in calls:
        call.cancel()
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in ended)
    assert len(_waiting) == before
    # It works on.
    await nurse.client.send(Person("DR-1"), "still here")


async def test_an_answer_that_comes_after_its_call_was_given_up_is_nobodys(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    nurse = await ward.enroll("NS-1")
    freed: set[int] = set()
    library, name = native._UniffiLib, "ffi_wardline_ffi_rust_future_{}_rust_buffer"
    poll, free = (getattr(library, name.format(step)) for step in ("poll", "free"))

    def watched_poll(future: int, *more: Any) -> None:
        assert future not in freed, "the library has let go of it"
        poll(future, *more)

    def watched_free(future: int) -> None:
        freed.add(future)
        free(future)

    monkeypatch.setattr(library, name.format("poll"), watched_poll)
    monkeypatch.setattr(library, name.format("free"), watched_free)
    trouble: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(context))
    for _ in range(5):
        freed.clear()
        before = len(_waiting)
        call = asyncio.create_task(nurse.client.send(Person("DR-1"), "too late"))
        await asyncio.sleep(0)
        call.cancel()
        # The loop hears of both at once: that it is given up, and then that there is an answer.
        await_nothing(before)
        with pytest.raises(asyncio.CancelledError):
            await call
    assert (len(freed), trouble) == (1, [])
    monkeypatch.undo()
    await nurse.client.send(Person("DR-1"), "in time")
    assert "in time" in await nurse.texts("DR-1")


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
async def test_a_call_whose_loop_is_closed_before_its_answer_harms_no_other(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")

    def elsewhere() -> None:
        loop = asyncio.new_event_loop()
        call = loop.create_task(nurse.client.send(Person("DR-1"), "nobody waits"))
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        # Its end is what would be warned about otherwise.
        call._log_destroy_pending = False  # type: ignore[attr-defined]
        del call

    await asyncio.to_thread(elsewhere)
    await nurse.client.send(Person("DR-1"), "answered")
    assert "answered" in await nurse.texts("DR-1")
