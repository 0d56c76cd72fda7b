"""What a person gets: messages, receipts, drafts, search, and all of it again after a restart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest
from conftest import RELAY, WORDS, Ward, until
from wardline import (
    Client,
    ClosedError,
    DeliveryState,
    Direction,
    KeyStoreError,
    LockedError,
    Passphrase,
    PassphraseError,
    Patient,
    PatientIdentifier,
    Person,
    Priority,
    Proof,
    Recovery,
    StoreError,
    Team,
    file_key_store,
    is_enrolled,
)


# scenario: delivery
async def test_a_message_arrives_and_its_author_gets_signed_receipts(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    patient = Patient(
        (PatientIdentifier("urn:mrn", "4711"), PatientIdentifier("urn:dob", "1950-02-03")),
        name="Maria Keller",
    )
    sent = await nurse.client.send(
        Person("DR-1"), "K 6.6 mmol/L", priority=Priority.STAT, patient=patient
    )
    await ward.settle(nurse, doctor)

    message = await doctor.newest("NS-1")
    assert message.id == sent
    assert message.text == "K 6.6 mmol/L"
    assert message.sender == "NS-1"
    assert message.sender_device == nurse.client.device
    assert message.direction is Direction.INCOMING
    assert message.proof is Proof.PROVEN
    assert message.priority is Priority.STAT
    assert message.patient == patient
    assert message.read_at is None
    assert "6.6" not in repr(message) and "Keller" not in repr(message)

    [delivery] = await nurse.client.deliveries(sent)
    assert (delivery.user, delivery.state) == ("DR-1", DeliveryState.DELIVERED)
    conversation = doctor.client.conversation(Person("NS-1"))
    assert await doctor.client.unread(conversation) == 1

    await doctor.client.mark_read(message)
    await ward.settle(doctor, nurse)
    [delivery] = await nurse.client.deliveries(sent)
    assert delivery.state is DeliveryState.READ
    assert delivery.devices[0].read_at is not None
    assert await doctor.client.unread(conversation) == 0


async def test_a_team_is_written_to_and_everything_is_found_again(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    await nurse.client.send(Team("team-1"), "Potassium is rising", idempotency_key="lab-1")
    await nurse.client.send(Team("team-1"), "Potassium is rising", idempotency_key="lab-1")
    await ward.settle(nurse, doctor)
    team = doctor.client.conversation(Team("team-1"))
    page = await doctor.client.timeline(team, size=10)
    assert [message.text for message in page.messages] == ["Potassium is rising"]
    [found] = await doctor.client.search("potas")
    assert found.conversation == team

    await nurse.client.save_draft(Team("team-1"), "I will")
    assert await nurse.client.draft(team) == "I will"
    await nurse.client.save_draft(Team("team-1"), "")
    assert await nurse.client.draft(team) is None


async def test_a_page_leads_to_the_page_before(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    for number in range(5):
        await nurse.client.send(Person("DR-1"), f"number {number}")
    conversation = nurse.client.conversation(Person("DR-1"))
    newest = await nurse.client.timeline(conversation, size=3)
    assert [message.text for message in newest.messages] == ["number 2", "number 3", "number 4"]
    before = await nurse.client.timeline(conversation, before=newest.before, size=3)
    assert [message.text for message in before.messages] == ["number 0", "number 1"]
    assert before.before is None


# scenario: offline-phone
async def test_offline_nothing_is_lost(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    assert nurse.network is not None
    nurse.network.cut()
    sent = await nurse.client.send(Person("DR-1"), "written in the basement")
    nurse.client.start()
    [delivery] = await nurse.client.deliveries(sent) or [None]
    assert delivery is None or delivery.state is DeliveryState.QUEUED
    nurse.network.mend()
    await ward.settle(nurse, doctor)
    assert await doctor.texts("NS-1") == ["written in the basement"]


# scenario: locked-phone
async def test_a_locked_device_receives_and_shows_nothing(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    doctor.client.lock()
    assert doctor.client.is_locked
    sent = await nurse.client.send(Person("DR-1"), "for your eyes")
    await ward.settle(nurse, doctor)
    [delivery] = await nurse.client.deliveries(sent)
    assert delivery.state is DeliveryState.DELIVERED
    with pytest.raises(LockedError) as refused:
        await doctor.texts("NS-1")
    assert refused.value.code == "WL-LOCKED"
    with pytest.raises(PassphraseError) as wrong:
        await doctor.client.unlock(Passphrase("something else"))
    assert wrong.value.attempts == 1
    assert await doctor.client.unlock(Passphrase(WORDS)) == 1
    assert await doctor.texts("NS-1") == ["for your eyes"]


async def test_a_changed_passphrase_and_a_changed_key_open_the_same_messages(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    await nurse.client.send(Person("DR-1"), "still here")
    await nurse.client.change_passphrase(Passphrase(WORDS), Passphrase("another one"))
    await nurse.client.rekey()
    await ward.reopen(nurse)
    with pytest.raises(PassphraseError):
        await nurse.client.unlock(Passphrase(WORDS))
    await nurse.client.unlock(Passphrase("another one"))
    assert await nurse.texts("DR-1") == ["still here"]
    assert await nurse.client.check_audit() is None


# scenario: wrong-key
async def test_another_key_does_not_open_the_store(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    await nurse.client.close()
    assert is_enrolled(nurse.config.folder)
    with pytest.raises(KeyStoreError) as refused:
        await ward.reopen(nurse, key_store=file_key_store(ward.folder / "other.keys"))
    assert refused.value.code == "WL-VAULT-HOST-NOT-MINE"
    assert refused.value.recovery is Recovery.ENROLL


async def test_a_suspended_device_answers_again_after_resume(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    await nurse.client.suspend()
    with pytest.raises(StoreError) as refused:
        await nurse.client.send(Person("DR-1"), "too early")
    assert refused.value.code == "WL-STORE-SUSPENDED"
    await nurse.client.resume()
    await nurse.client.send(Person("DR-1"), "in time")
    assert await nurse.texts("DR-1") == ["in time"]


# scenario: kill-and-reopen
async def test_a_process_that_is_killed_has_lost_nothing_it_answered(ward: Ward) -> None:
    doctor = await ward.enroll("DR-1")
    url = await ward.relay.listen()
    ticket = await ward.authority.mint_ticket("NS-1")
    config = f"""
        Config(folder={str(ward.folder / "killed")!r}, organization="mercy", root={ward.pin!r},
               relay={RELAY!r}, transport=http_transport({url!r}),
               key_store=file_key_store({str(ward.folder / "killed.keys")!r}))
    """
    code = f"""
        import asyncio, sys
        from wardline import *
        async def main():
            nurse = await Client.enroll({config.strip()}, "NS-1", ticket={ticket!r},
                                        passphrase=Passphrase({WORDS!r}))
            print(await nurse.send(Person("DR-1"), "last words"), flush=True)
            await asyncio.sleep(3600)
        asyncio.run(main())
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    sent = process.stdout.readline().strip()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    await ward.publish()
    again = ward.config(
        "killed", ward.relay.transport(), file_key_store(ward.folder / "killed.keys")
    )
    async with Client.open(again) as nurse:
        await nurse.sync_once()
        await doctor.client.sync_once()
        await doctor.client.sync_once()
        assert [m.id for m in (await doctor.client.timeline(
            doctor.client.conversation(Person("NS-1")))).messages] == [sent]
    assert await doctor.texts("NS-1") == ["last words"]


# scenario: corrupted-traffic
async def test_every_fault_of_a_network_is_survived(ward: Ward) -> None:
    from wardline.testing import FaultPlan

    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    assert nurse.network is not None and doctor.network is not None
    plan = FaultPlan(
        lose_requests=6, lose_answers=6, duplicate=4, reorder=4, truncate=4, flip_bits=4
    )
    nurse.network.set_plan(plan, seed=7)
    doctor.network.set_plan(plan, seed=8)
    written = [f"number {number}" for number in range(8)]
    for text in written:
        await nurse.client.send(Person("DR-1"), text)
    nurse.client.start()
    doctor.client.start()
    nobody: list[str] = []

    async def arrived() -> bool:
        nobody[:] = await doctor.texts("NS-1")
        return len(nobody) >= len(written)

    await until(arrived, within=60)
    assert sorted(nobody) == written
    assert nurse.network.calls > 0


async def test_calls_after_close_are_refused(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    await nurse.client.close()
    await nurse.client.close()
    assert nurse.client.is_closed and nurse.client.is_locked
    with pytest.raises(ClosedError) as refused:
        await nurse.client.send(Person("DR-1"), "too late")
    assert refused.value.code == "WL-CLOSED"
    with pytest.raises(ClosedError):
        nurse.client.start()
