"""Events, views that follow, giving up, closing during a call."""

from __future__ import annotations

import asyncio

import pytest
from conftest import WORDS, Ward
from wardline import (
    ClosedError,
    DeliveryChanged,
    DirectoryChanged,
    LockedError,
    MessageArrived,
    MessageSent,
    Passphrase,
    Person,
    Priority,
    UnknownEvent,
)


# scenario: events
async def test_events_come_in_order_and_again_until_they_are_confirmed(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    sent = await nurse.client.send(Person("DR-1"), "one", priority=Priority.URGENT)
    await ward.settle(nurse, doctor)
    found = await doctor.client.events_from()
    assert not any(isinstance(event, UnknownEvent) for event in found)
    assert isinstance(found[0], DirectoryChanged)
    [arrived] = [event for event in found if isinstance(event, MessageArrived)]
    assert arrived.tier is Priority.URGENT
    [message] = await doctor.client.messages(arrived.reference)
    assert (message.id, message.reference) == (sent, arrived.reference)
    assert message.reference == f"{nurse.client.device}/{sent}"
    own = await nurse.client.events_from()
    assert any(isinstance(event, MessageSent) and event.message == sent for event in own)
    assert any(isinstance(event, DeliveryChanged) and event.user == "DR-1" for event in own)

    assert await doctor.client.events_from() == found
    await doctor.client.confirm(found[-1])
    assert await doctor.client.events_from() == ()


async def test_the_stream_confirms_what_was_dealt_with(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    nurse.client.start()
    doctor.client.start()

    async def listen() -> list[str]:
        heard = []
        async for event in doctor.client.events(batch=1):
            if isinstance(event, MessageArrived):
                heard.append(event.reference.split("/")[1])
                if len(heard) == 3:
                    break
        return heard

    listening = asyncio.create_task(listen())
    sent = [await nurse.client.send(Person("DR-1"), f"number {n}") for n in range(3)]
    heard = await asyncio.wait_for(listening, 20)
    assert heard == sent
    # The last one was never followed by asking for another: it comes again.
    again = [event for event in await doctor.client.events_from() if isinstance(event, MessageArrived)]
    assert [event.reference for event in again][:1] == [f"{nurse.client.device}/{sent[-1]}"]


async def test_a_stream_ends_when_the_client_is_closed(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")

    async def listen() -> str:
        async for _ in nurse.client.events():
            pass
        return "ended"

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0.1)
    await nurse.client.close()
    assert await asyncio.wait_for(listening, 5) == "ended"


# scenario: live-queries
async def test_a_view_follows_its_conversation(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    conversation = doctor.client.conversation(Person("NS-1"))
    view = await doctor.client.follow(conversation, size=10)
    assert (list(view.messages), view.unread) == ([], 0)
    sent = await nurse.client.send(Person("DR-1"), "look here")
    await nurse.client.sync_once()
    waiting = asyncio.create_task(view.changed())
    await doctor.client.sync_once()
    change = await asyncio.wait_for(waiting, 5)
    assert [message.id for message in change.added] == [sent]
    assert change.unread == 1
    assert [message.text for message in view.messages] == ["look here"]
    await doctor.client.mark_read(change.added[0].reference)
    change = await asyncio.wait_for(view.changed(), 5)
    assert [message.id for message in change.updated] == [sent]
    assert view.unread == 0


# scenario: cancellation
async def test_giving_up_a_wait_loses_no_change(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    view = await nurse.client.follow(nurse.client.conversation(Person("DR-1")), size=100)
    for number in range(30):
        waiting = asyncio.create_task(view.changed())
        await asyncio.sleep(0)
        await nurse.client.send(Person("DR-1"), f"number {number}")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    while len(view.messages) < 30:
        await asyncio.wait_for(view.changed(), 5)


# scenario: live-queries
async def test_a_view_ends_with_the_lock_and_with_the_client(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    conversation = nurse.client.conversation(Person("DR-1"))
    await nurse.client.send(Person("DR-1"), "shown until the lock")
    view = await nurse.client.follow(conversation)
    assert [message.text for message in view.messages] == ["shown until the lock"]
    nurse.client.lock()
    with pytest.raises(LockedError):
        await asyncio.wait_for(view.changed(), 5)
    assert view.messages == ()
    await nurse.client.unlock(Passphrase(WORDS))
    change = await asyncio.wait_for(view.changed(), 5)
    assert [message.text for message in change.added] == ["shown until the lock"]
    waiting = asyncio.create_task(view.changed())
    await asyncio.sleep(0.05)
    await nurse.client.close()
    with pytest.raises(ClosedError):
        await asyncio.wait_for(waiting, 5)


# scenario: cancellation
async def test_a_cancelled_call_is_given_up_and_the_client_goes_on(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    last = (await nurse.client.events_from())[-1].cursor
    waiting = asyncio.create_task(nurse.client.next_events(last))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(nurse.client.next_events(last), 0.05)
    await nurse.client.send(Person("DR-1"), "still alive")
    assert await nurse.texts("DR-1") == ["still alive"]


async def test_the_event_loop_goes_on_during_a_call(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    nurse.client.lock()
    # Argon2id: were it computed on this thread, nothing else would run until it is done.
    unlocking = asyncio.create_task(nurse.client.unlock(Passphrase(WORDS)))
    turns = 0
    while not unlocking.done():
        turns += 1
        await asyncio.sleep(0)
    await unlocking
    assert turns > 5


async def test_closing_during_calls_ends_them_with_an_error_or_success(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    nurse.client.start()
    calls = [
        asyncio.create_task(nurse.client.send(Person("DR-1"), f"number {number}"))
        for number in range(40)
    ]
    calls.append(asyncio.create_task(nurse.client.sync_once()))  # type: ignore[arg-type]
    await asyncio.sleep(0.005)
    await asyncio.wait_for(nurse.client.close(), 10)
    answers = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 10)
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(error, ClosedError) for error in errors)
    taken = {answer for answer in answers[:40] if isinstance(answer, str)}

    await ward.reopen(nurse)
    await ward.settle(nurse, doctor)
    conversation = doctor.client.conversation(Person("NS-1"))
    page = await doctor.client.timeline(conversation, size=100)
    assert taken <= {message.id for message in page.messages}
