"""The scenarios of tests/scenarios.md that need no code of a vendor's, in the words of the ward."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

import pytest
from conftest import HOSPITAL
from wardline import (
    Asked,
    DeliveryState,
    KeyPurpose,
    KeyStore,
    KeyStoreError,
    LockedError,
    MessageArrived,
    NetworkError,
    OpenItems,
    Passphrase,
    Priority,
    RecallOutcome,
    RelayError,
    RelayRequest,
    RelayResponse,
    SendError,
    Transport,
    file_key_store,
)
from wardline.testing import PROFILES, Ward


# scenario: delivery
async def test_a_critical_result_is_delivered_and_read_on_every_device_once(ward: Ward) -> None:
    await ward.import_hospital(HOSPITAL)
    doctor = await ward.device("DR-CA-001")
    nurses = [await ward.device(who) for who in list(ward.people)[-2:]]
    second = await ward.device(nurses[0].user)
    outsider = await ward.device("DR-CA-002")
    team = await ward.team("Rapid response", doctor, *nurses)
    patient = ward.patient()
    message = await doctor.send(team, "Potassium 6.6 mmol/L", priority="stat", patient=patient)
    for device in (*nurses, second):
        await ward.until(device.delivered(message))
    shown = await nurses[0].opens(message)
    assert (shown.sender, shown.priority, shown.patient) == (doctor.user, Priority.STAT, patient)
    await ward.until(nurses[0].read(message) & ~nurses[1].read(message))
    await ward.assert_exactly_once(message)
    assert not await ward.holds(outsider.shows(message))
    await ward.assert_nothing_leaked()


# scenario: notification
async def test_a_notification_says_that_something_came_and_the_app_shows_it_once(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    nurse.lock()
    nurse.network.cut()
    message = await doctor.send(nurse, "K 6.6 mmol/L", priority="stat")
    await ward.at_rest()
    nurse.network.mend()
    async with await nurse.inbox() as inbox:
        [notice] = (await inbox.collect(within=timedelta(seconds=60))).notices
        assert (notice.reference, notice.tier) == (message.reference, Priority.STAT)
        assert notice.sender is None
        await inbox.shown([notice])
    await ward.until(nurse.delivered(message))
    await nurse.unlock()
    await ward.until(nurse.shows(message))
    await ward.assert_exactly_once(message)
    await ward.assert_nothing_leaked()


# scenario: offline-phone
async def test_what_is_written_without_a_network_arrives_when_there_is_one(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    nurse.network.cut()
    doctor.network.be("airplane mode")
    up = await nurse.send(doctor, "written in the basement")
    down = await doctor.send(nurse, "written on the roof")
    await ward.at_rest()
    states = [one.state for one in await nurse.client.deliveries(up.id)]
    assert all(state is DeliveryState.QUEUED for state in states)
    ward.passes(timedelta(hours=2))
    nurse.network.mend()
    doctor.network.mend()
    await ward.until(doctor.delivered(up) & nurse.delivered(down))
    await ward.assert_exactly_once(up)
    await ward.assert_exactly_once(down)


# scenario: locked-phone
async def test_a_locked_phone_confirms_and_shows_nothing(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    nurse.lock()
    message = await doctor.send(nurse, "for your eyes only")
    await ward.until(nurse.delivered(message))
    assert not await ward.holds(nurse.shows(message))
    with pytest.raises(LockedError):
        await nurse.texts(doctor)
    await nurse.unlock()
    assert await nurse.texts(doctor) == ["for your eyes only"]


# scenario: kill-and-reopen
@pytest.mark.parametrize("rounds", [0, 1, 2])
async def test_killed_devices_lose_nothing_and_show_nothing_twice(ward: Ward, rounds: int) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    first = await doctor.send(nurse, "before the battery was empty")
    doctor.start()
    for _ in range(rounds):
        await ward.holds(nurse.delivered(first))
        await nurse.client.sync_once()
    doctor.kill()
    nurse.kill()
    await doctor.reopen()
    await nurse.reopen(unlock=False)
    second = await doctor.send(nurse, "after the battery was empty")
    await ward.until(nurse.delivered(first) & nurse.delivered(second))
    await nurse.unlock()
    await ward.assert_exactly_once(first)
    await ward.assert_exactly_once(second)
    await ward.assert_nothing_leaked()


# scenario: wrong-key
async def test_a_device_does_not_open_with_the_keys_of_another(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    message = await doctor.send(nurse, "only with the right keys")
    await ward.until(nurse.delivered(message))
    await nurse.close()
    own = nurse.config.key_store
    with pytest.raises(KeyStoreError) as refused:
        await nurse.reopen(key_store=file_key_store(ward.folder / "others.keys"))
    assert refused.value.code == "WL-VAULT-HOST-NOT-MINE"
    await nurse.reopen(key_store=own)
    await ward.assert_exactly_once(message)


# scenario: revoked-device
async def test_a_revoked_device_gets_nothing_more_and_sends_nothing_more(ward: Ward) -> None:
    doctor, lost = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    found = await ward.device("Nurse Okafor")
    await ward.revoke(lost)
    message = await doctor.send(found, "not for whoever found the phone")
    forged = await lost.send(doctor, "from whoever found the phone")
    await ward.until(found.delivered(message))
    await ward.at_rest()
    with pytest.raises(RelayError) as refused:
        await lost.client.sync_once()
    assert refused.value.code == "WL-RELAY-REVOKED"
    assert not await ward.holds(lost.shows(message))
    assert not await ward.holds(doctor.shows(forged))


# scenario: corrupted-traffic
@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "airplane mode"])
async def test_everything_arrives_once_on_every_network(ward: Ward, profile: str) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    doctor.network.be(profile)
    nurse.network.be(profile)
    written = []
    for number in range(6):
        author, other = (doctor, nurse) if ward.random.random() < 0.5 else (nurse, doctor)
        written.append((other, await author.send(other, f"Result number {number} of the day")))
    for other, message in written:
        await ward.until(other.delivered(message), within=timedelta(minutes=2))
    for _, message in written:
        await ward.assert_exactly_once(message)
    await ward.assert_nothing_leaked()


class Courier(Transport):
    """A vendor's own transport, which has its days."""

    def __init__(self, behind: Transport) -> None:
        self.behind = behind
        self.mood: BaseException | RelayResponse | None = None
        self.calls = 0

    async def call(self, request: RelayRequest) -> RelayResponse:
        self.calls += 1
        if isinstance(self.mood, RelayResponse):
            return self.mood
        if self.mood is not None:
            raise self.mood
        answer = self.behind.call(request)
        assert not isinstance(answer, RelayResponse)
        return await answer


# scenario: foreign-transport
async def test_a_transport_of_ones_own_may_fail_in_any_way(ward: Ward) -> None:
    couriers: list[Courier] = []

    def hire(line: Transport) -> Transport:
        couriers.append(Courier(line))
        return couriers[-1]

    nurse = await ward.device("Nurse Okafor", carried_by=hire)
    doctor = await ward.device("Dr. Gupta")
    message = await nurse.send(doctor, "in spite of the courier")
    for mood in (OSError("fell off the bike"), RelayResponse(200, b"\xff"), RelayResponse(-1, b"")):
        couriers[0].mood = mood
        with pytest.raises(NetworkError):
            await nurse.client.sync_once()
    couriers[0].mood = None
    await ward.until(doctor.delivered(message))
    await ward.assert_exactly_once(message)
    assert couriers[0].calls > 5


class Pocket(KeyStore):
    """A key store in memory; what it does hides nothing."""

    def __init__(self) -> None:
        self.key = os.urandom(32)
        self.attempts_made = 0
        self.is_there = True

    def wrap(self, purpose: KeyPurpose, secret: bytes) -> bytes:
        return bytes(a ^ b for a, b in zip(secret, self.key, strict=True))

    def unwrap(self, purpose: KeyPurpose, wrapped: bytes) -> bytes:
        if not self.is_there:
            raise OSError("there is no pocket")
        return self.wrap(purpose, wrapped)

    def erase(self, purpose: KeyPurpose) -> None:
        self.key = os.urandom(32)

    def attempts(self) -> int:
        return self.attempts_made

    def count_attempt(self) -> int:
        self.attempts_made += 1
        return self.attempts_made

    def reset_attempts(self) -> None:
        self.attempts_made = 0


# scenario: foreign-key-store
async def test_a_key_store_of_ones_own_opens_a_device_and_may_refuse(ward: Ward) -> None:
    pocket = Pocket()
    nurse = await ward.device("Nurse Okafor", key_store=pocket)
    doctor = await ward.device("Dr. Gupta")
    message = await doctor.send(nurse, "kept by the pocket")
    await ward.until(nurse.delivered(message))
    nurse.kill()
    pocket.is_there = False
    with pytest.raises(KeyStoreError):
        await nurse.reopen()
    pocket.is_there = True
    await nurse.reopen()
    await ward.assert_exactly_once(message)


# scenario: cancellation, events
async def test_a_wait_for_events_that_is_given_up_costs_none(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    seen = await nurse.client.events_from()
    last = seen[-1].cursor if seen else 0
    waiting = asyncio.create_task(nurse.client.next_events(last))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    written = [await doctor.send(nurse, f"number {number}") for number in range(3)]
    await ward.until(nurse.delivered(written[-1]))
    news = [one for one in await nurse.client.next_events(last) if isinstance(one, MessageArrived)]
    assert [one.reference for one in news] == [message.reference for message in written]
    again = await nurse.client.events_from(last)
    assert [one for one in again if isinstance(one, MessageArrived)] == news
    await nurse.client.confirm(again[-1])
    assert await nurse.client.events_from() == ()


# scenario: live-queries
async def test_a_followed_conversation_shows_what_comes_while_it_may(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    view = await nurse.client.follow(nurse.client.conversation(doctor.recipient))
    message = await doctor.send(nurse, "look here")
    await ward.until(nurse.delivered(message))
    change = await asyncio.wait_for(view.changed(), 20)
    assert [one.id for one in change.added] == [message.id]
    nurse.lock()
    with pytest.raises(LockedError):
        await asyncio.wait_for(view.changed(), 20)
    shown = [one.text for one in view.messages]
    assert shown == []
    await nurse.unlock()
    await asyncio.wait_for(view.changed(), 20)
    assert [one.text for one in view.messages] == ["look here"]
    await nurse.close()
    async with asyncio.timeout(20):
        async for _ in view:
            raise AssertionError("a view that is over changes no more")


# scenario: answer
async def test_everybody_knows_who_has_it_and_what_nobody_has_taken(ward: Ward) -> None:
    lab, doctor = await ward.device("Laboratory"), await ward.device("Dr. Gupta")
    nurse = await ward.device("Nurse Okafor")
    team = await ward.team("Dialysis", lab, doctor, nurse)
    message = await lab.send(team, "K 6.6 mmol/L", answer_within=timedelta(minutes=5))
    await ward.until(doctor.delivered(message) & nurse.delivered(message))
    for device, which in ((lab, OpenItems.AWAITED), (doctor, OpenItems.TO_ANSWER)):
        [found] = await device.client.open_items(which)
        assert found.reference == message.reference
        assert found.asked == Asked(found.created_at + timedelta(minutes=5), open=True)

    await nurse.answer(message, accept=False, read_back="in theatre until noon")
    await ward.until(doctor.answered_by(message, nurse, accept=False))
    [still_open] = await doctor.client.open_items(OpenItems.TO_ANSWER)
    assert still_open.reference == message.reference
    ward.passes(timedelta(minutes=10))
    assert len(await lab.client.open_items(OpenItems.OVERDUE)) == 1

    await doctor.answer(message, read_back="K 6.6, insulin now")
    await ward.until(lab.answered_by(message, doctor) & nurse.answered_by(message, doctor, accept=True))
    for device in (lab, doctor, nurse):
        declined, accepted = await device.client.answers(message.reference)
        assert (declined.user, declined.stands) == (nurse.user, True)
        assert (accepted.user, accepted.read_back) == (doctor.user, "K 6.6, insulin now")
        for which in OpenItems:
            assert not await device.client.open_items(which)
    await ward.at_rest()
    assert "knows: Dr. Gupta has accepted #1" in ward.time_line()
    await ward.assert_exactly_once(message)
    await ward.assert_nothing_leaked()


# scenario: recall
async def test_what_was_taken_back_is_gone_from_devices_that_say_so(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    wrong = await doctor.send(nurse, "Metoprolol 50 mg for Keller")
    right = await doctor.send(nurse, "Metoprolol 50 mg for Huber", reply_to=wrong)
    await ward.until(nurse.delivered(wrong) & nurse.delivered(right))
    with pytest.raises(SendError) as refused:
        await nurse.recall(wrong)
    assert refused.value.code == "WL-SEND-NOT-YOURS"

    nurse.lock()
    await doctor.recall(wrong, "wrong patient")
    await ward.at_rest()
    assert not await ward.holds(nurse.recalled(wrong))
    await nurse.unlock()
    await ward.until(nurse.recalled(wrong))
    [delivery] = await doctor.client.deliveries(wrong.id)
    assert [one.recall for one in delivery.devices] == [RecallOutcome.PURGED_UNREAD]
    for device in (doctor, nurse):
        tombstone, still_there = await device.messages(nurse if device is doctor else doctor)
        assert tombstone.recalled is not None and still_there.recalled is None
        assert (tombstone.text, tombstone.recalled.by) == ("", doctor.user)
        assert tombstone.recalled.reason == "wrong patient"
        assert still_there.in_reply_to == wrong.reference
        assert not await device.client.search("Keller")
    assert "knows: #1 was taken back" in ward.time_line()
    await ward.assert_exactly_once(wrong)
    await ward.assert_exactly_once(right)
    await ward.assert_nothing_leaked()


# scenario: errors-by-cause
async def test_a_refused_message_says_why_and_leaves_nothing(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    for text, code in (("", "WL-SEND-EMPTY"), ("x" * 2_000_000, "WL-SEND-TOO-LONG")):
        with pytest.raises(SendError) as refused:
            await doctor.send(nurse, text)
        assert refused.value.code == code and not refused.value.retryable
    nurse.lock()
    with pytest.raises(Exception) as wrong:
        await nurse.client.unlock(Passphrase("not this one"))
    assert getattr(wrong.value, "code") == "WL-VAULT-WRONG-PASSPHRASE"
    await nurse.unlock()
    assert await doctor.texts(nurse) == []
