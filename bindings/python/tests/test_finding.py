"""What was said is found again, what may be wrong is said before it leaves, and open items follow what happens."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pytest
from conftest import WORDS, Ward
from wardline import (
    ArgumentError,
    Filter,
    Interrupts,
    LockedError,
    LoopGrouping,
    NoPatient,
    OneIdentifier,
    OpenItems,
    OpenItemsView,
    OtherName,
    Passphrase,
    Patient,
    PatientIdentifier,
    Person,
    Priority,
    SimilarPatient,
    Team,
    Verdict,
)

MRN = PatientIdentifier("urn:mercy:mrn", "00712328")
BIRTH = PatientIdentifier("urn:birth-date", "1960-02-29")
GARCIA = Patient((MRN, BIRTH), "Maria Garcia")


# scenario: find
async def test_messages_are_found_by_patient_person_tier_and_words(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    await nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", patient=GARCIA, priority=Priority.STAT)
    await nurse.client.send(Team("team-1"), "she sleeps", patient=GARCIA)
    await nurse.client.send(Person("DR-1"), "rounds at nine", priority=Priority.URGENT)
    await ward.settle(nurse, doctor)
    await doctor.client.send(Person("NS-1"), "on my way")

    async def found(wanted: Filter) -> list[str]:
        return [message.text for message in await doctor.client.find(wanted)]

    everything = ["on my way", "rounds at nine", "she sleeps", "K 6.6 mmol/L"]
    later = datetime.now(timezone.utc) + timedelta(days=1)
    direct = doctor.client.conversation(Person("NS-1"))
    for wanted, expected in [
        (Filter(), everything),
        (Filter(patient=(MRN, BIRTH)), ["she sleeps", "K 6.6 mmol/L"]),
        (Filter(patient=(MRN,), conversation=direct), ["K 6.6 mmol/L"]),
        (Filter(person="DR-1"), ["on my way"]),
        (Filter(at_least=Priority.URGENT), ["rounds at nine", "K 6.6 mmol/L"]),
        (Filter(open=True), ["K 6.6 mmol/L"]),
        (Filter(text="roun"), ["rounds at nine"]),
        (Filter(until=later), everything),
        (Filter(since=later), []),
    ]:
        assert await found(wanted) == expected, wanted
    assert "roun" not in repr(Filter(text="roun")) and "007" not in repr(Filter(patient=(MRN,)))

    first = await doctor.client.find(Filter(), limit=3)
    rest = await doctor.client.find(Filter(), before=first[-1].cursor, limit=3)
    assert [message.text for message in (*first, *rest)] == everything
    with pytest.raises(ArgumentError) as refused:
        await doctor.client.find(Filter(person="no spaces please"))
    assert refused.value.name == "person"
    doctor.client.lock()
    with pytest.raises(LockedError):
        await doctor.client.find(Filter())


async def test_what_may_be_wrong_is_said_before_it_leaves(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    await nurse.client.send(Person("DR-1"), "K 6.6", patient=GARCIA, priority=Priority.STAT)
    check = nurse.client.check
    assert await check(Person("DR-1"), patient=GARCIA) == ()
    assert await check(Person("DR-1"), priority=Priority.STAT) == (
        Interrupts(Priority.STAT, 1),
        NoPatient(),
    )
    other = Patient((PatientIdentifier(MRN.system, "00999999"), BIRTH), "GARCÍA MARIA")
    [same] = await check(Person("DR-1"), patient=other)
    assert isinstance(same, SimilarPatient) and same.same_name
    assert same.known.name == "Maria Garcia" and set(same.known.identifiers) == {MRN, BIRTH}
    renamed = Patient((MRN, BIRTH), "Peter Smith")
    [known] = await check(Person("DR-1"), patient=renamed)
    assert isinstance(known, OtherName) and known.known.name == "Maria Garcia"
    assert "Garcia" not in repr(known)
    single = Patient((MRN,), "Maria Garcia")
    assert await check(Person("DR-1"), patient=single) == (OneIdentifier(1),)
    assert await nurse.texts("DR-1") == ["K 6.6"], "nothing was sent by asking"


async def test_open_items_follow_what_happens_and_the_lock(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    view = await doctor.client.follow_open_items(OpenItems.TO_ANSWER, size=10)
    assert list(view.messages) == []
    waiting = asyncio.create_task(view.changed())
    within = timedelta(minutes=5)
    await nurse.client.send(Person("DR-1"), "sign please", answer_within=within)
    await ward.settle(nurse, doctor)
    change = await asyncio.wait_for(waiting, 5)
    assert [one.text for one in change.added] == ["sign please"]
    await nurse.client.send(Person("DR-1"), "K 6.6", priority=Priority.STAT)
    await ward.settle(nurse, doctor)
    await asyncio.wait_for(view.changed(), 5)
    assert [one.text for one in view.messages] == ["K 6.6", "sign please"]

    doctor.client.lock()
    assert list(view.messages) == []
    with pytest.raises(LockedError):
        await asyncio.wait_for(view.changed(), 5)
    await doctor.client.unlock(Passphrase(WORDS))
    await asyncio.wait_for(view.changed(), 5)
    stat = view.messages[0]
    await doctor.client.answer(stat, Verdict.ACCEPTED, "going")

    async def until_answered() -> tuple[str, ...]:
        async for change in view:
            if change.removed:
                return change.removed
        return ()

    assert await asyncio.wait_for(until_answered(), 5) == (stat.reference,)
    ending = asyncio.create_task(_to_the_end(view))
    await asyncio.sleep(0.05)
    await doctor.client.close()
    await asyncio.wait_for(ending, 5)


async def _to_the_end(view: OpenItemsView) -> None:
    async for _ in view:
        pass


# scenario: closed-loop-times
async def test_how_long_answers_took_is_known_by_person_and_tier(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    for _ in range(2):
        await nurse.client.send(Person("DR-1"), "K 6.6", priority=Priority.STAT)
    await ward.settle(nurse, doctor)
    message = await doctor.newest("NS-1")
    await doctor.client.answer(message, Verdict.ACCEPTED, "going")
    await ward.settle(doctor, nurse)
    nurse.client.lock()
    for grouping, group in [
        (LoopGrouping.PERSON, "DR-1"),
        (LoopGrouping.PRIORITY, Priority.STAT),
        (LoopGrouping.STAFF_ROLE, None),
        (LoopGrouping.DEPARTMENT, None),
    ]:
        [times] = await nurse.client.loop_times(grouping)
        assert (times.group, times.messages) == (group, 2)
        assert (times.sent_to_delivered.count, times.sent_to_acknowledged.count) == (2, 1)
        assert times.sent_to_acknowledged.p50 == times.sent_to_acknowledged.p95
        assert times.event_to_acknowledged.p50 is None
        assert (times.declined, times.unanswered, times.overdue) == (0, 1, 0)
    past = datetime(2000, 1, 1, tzinfo=timezone.utc)
    assert await nurse.client.loop_times(LoopGrouping.PERSON, until=past) == ()
