"""Closing the loop and taking back, on the surface: what goes in comes out, and what is refused is named."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from conftest import Ward
from wardline import (
    ArgumentError,
    MessageAnswered,
    MessageRecalled,
    NotFoundError,
    OpenItems,
    Person,
    Priority,
    RecallOutcome,
    SendError,
    StandingAnswer,
    Verdict,
)

RESULT_AT = datetime(2025, 3, 3, 6, 55, tzinfo=timezone.utc)


# scenario: answer
async def test_a_message_that_asks_is_answered_with_a_read_back(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    sent = await nurse.client.send(
        Person("DR-1"),
        "K 6.6 mmol/L",
        priority=Priority.STAT,
        occurred_at=RESULT_AT,
        answer_within=timedelta(minutes=5),
    )
    await ward.settle(nurse, doctor)
    [message] = await doctor.client.open_items(OpenItems.TO_ANSWER)
    assert (message.id, message.occurred_at) == (sent, RESULT_AT)
    assert message.asked is not None and message.asked.open
    assert message.asked.answer_by == message.created_at + timedelta(minutes=5)

    await doctor.client.answer(message, Verdict.DECLINED)
    await doctor.client.answer(message.reference, Verdict.ACCEPTED, "K 6.6, going")
    await ward.settle(doctor, nurse)
    first, last = await nurse.client.answers(sent)
    assert (first.verdict, first.stands) == (Verdict.DECLINED, False)
    assert (last.verdict, last.stands) == (Verdict.ACCEPTED, True)
    assert (last.user, last.device, last.read_back) == ("DR-1", doctor.client.device, "K 6.6, going")
    assert "going" not in repr(last)
    [delivery] = await nurse.client.deliveries(sent)
    assert delivery.answer == StandingAnswer(Verdict.ACCEPTED, last.at)
    told = [
        (event.reference, event.user, event.verdict)
        for event in await nurse.client.events_from()
        if isinstance(event, MessageAnswered)
    ]
    assert told[-1] == (message.reference, "DR-1", Verdict.ACCEPTED)
    for device in (nurse, doctor):
        assert [await device.client.open_items(which) for which in OpenItems] == [(), (), ()]

    with pytest.raises(SendError) as own:
        await nurse.client.answer(message.reference, Verdict.ACCEPTED)
    assert own.value.code == "WL-SEND-OWN-MESSAGE"
    plain = await nurse.client.send(Person("DR-1"), "rounds at nine")
    await ward.settle(nurse, doctor)
    with pytest.raises(SendError) as unasked:
        await doctor.client.answer(f"{nurse.client.device}/{plain}", Verdict.ACCEPTED)
    assert unasked.value.code == "WL-SEND-NOT-ASKED"


# scenario: recall
async def test_what_its_author_takes_back_is_gone(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    sent = await nurse.client.send(Person("DR-1"), "for Mrs Keller")
    await ward.settle(nurse, doctor)
    message = await doctor.newest("NS-1")
    with pytest.raises(SendError) as refused:
        await doctor.client.recall(message)
    assert refused.value.code == "WL-SEND-NOT-YOURS"

    await nurse.client.recall(sent, "wrong patient")
    [delivery] = await nurse.client.deliveries(sent)
    assert [one.recall for one in delivery.devices] == [RecallOutcome.PENDING]
    await ward.settle(nurse, doctor)
    [delivery] = await nurse.client.deliveries(sent)
    assert [one.recall for one in delivery.devices] == [RecallOutcome.PURGED_UNREAD]
    for device, other in ((nurse, "DR-1"), (doctor, "NS-1")):
        tombstone = await device.newest(other)
        assert (tombstone.id, tombstone.text) == (sent, "")
        assert tombstone.recalled is not None
        assert (tombstone.recalled.by, tombstone.recalled.reason) == ("NS-1", "wrong patient")
        assert "wrong" not in repr(tombstone)
        assert await device.client.search("Keller") == ()
    told = [one for one in await doctor.client.events_from() if isinstance(one, MessageRecalled)]
    assert [one.reference for one in told] == [message.reference]
    with pytest.raises(SendError) as again:
        await nurse.client.recall(sent)
    assert again.value.code == "WL-SEND-TOO-LATE-TO-RECALL"


async def test_a_time_that_no_calendar_has_leaves_the_conversation_readable(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    await nurse.client.send(Person("DR-1"), "for ever", answer_within=timedelta.max)
    await ward.settle(nurse, doctor)
    [message] = await doctor.client.open_items(OpenItems.TO_ANSWER)
    assert message.text == "for ever"
    assert message.asked is not None and message.asked.answer_by is not None
    assert message.asked.answer_by.year == 9999


async def test_a_reply_names_what_it_replies_to(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    await nurse.client.send(Person("DR-1"), "how much?")
    await ward.settle(nurse, doctor)
    question = await doctor.newest("NS-1")
    assert question.in_reply_to is None
    await doctor.client.send(Person("NS-1"), "50 mg", reply_to=question)
    await ward.settle(doctor, nurse)
    assert (await nurse.newest("DR-1")).in_reply_to == question.reference

    with pytest.raises(NotFoundError) as nowhere:
        missing = f"{doctor.client.device}/{question.id}"
        await doctor.client.send(Person("NS-1"), "50 mg", reply_to=missing)
    assert nowhere.value.code == "WL-UNKNOWN"
    with pytest.raises(ArgumentError) as nothing:
        await nurse.client.recall("what was that")
    assert nothing.value.name == "message"
