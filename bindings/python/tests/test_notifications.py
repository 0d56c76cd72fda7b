"""A second process that shows notifications: it confirms what it takes and says what the policy allows."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from conftest import WORDS, Ward
from wardline import (
    ClosedError,
    DeliveryState,
    Inbox,
    KeyStoreError,
    MessageArrived,
    Passphrase,
    Person,
    Priority,
    RelayError,
    file_key_store,
)
from wardline.authority import LockScreen

LONG = timedelta(seconds=60)


# scenario: notification
async def test_an_inbox_confirms_what_waits_and_says_only_how_urgent_it_is(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    doctor.client.lock()
    sent = await nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", priority=Priority.STAT)
    await nurse.client.sync_once()

    async with await Inbox.open(doctor.config) as inbox:
        assert (inbox.user, inbox.device) == ("DR-1", doctor.client.device)
        collected = await inbox.collect(within=LONG)
        assert collected.complete and collected.failure is None
        [notice] = collected.notices
        assert notice.tier is Priority.STAT
        assert notice.sender is None and notice.conversation is None
        assert len(notice.tag) == 32 and notice.tag not in notice.reference
        assert "6.6" not in repr(collected)
    await nurse.client.sync_once()
    [delivery] = await nurse.client.deliveries(sent)
    assert delivery.state is DeliveryState.DELIVERED

    # In a later process again, until it was shown; and the app knows nothing of that.
    async with await Inbox.open(doctor.config) as inbox:
        assert (await inbox.collect(within=LONG)).notices == (notice,)
        await inbox.shown([notice])
        assert (await inbox.collect(within=LONG)).notices == ()
    events = await doctor.client.events_from()
    arrived = [event.reference for event in events if isinstance(event, MessageArrived)]
    assert arrived == [notice.reference]
    await doctor.client.unlock(Passphrase(WORDS))
    assert await doctor.texts("NS-1") == ["K 6.6 mmol/L"]
    assert await doctor.client.unread(doctor.client.conversation(Person("NS-1"))) == 1


async def test_a_policy_may_allow_the_sender(ward: Ward) -> None:
    rules = await ward.authority.policy()
    assert rules.lock_screen is LockScreen.TIER
    rules = dataclasses.replace(rules, lock_screen=LockScreen.SENDER)
    await ward.authority.set_policy(rules)
    assert await ward.authority.policy() == rules
    await ward.publish()
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    await nurse.client.send(Person("DR-1"), "Good morning")
    await nurse.client.sync_once()
    async with await Inbox.open(doctor.config) as inbox:
        [notice] = (await inbox.collect(within=LONG)).notices
        assert notice.sender is not None
        assert (notice.sender.user, notice.sender.display_name) == ("NS-1", "Person NS-1")
        assert notice.conversation == doctor.client.conversation(Person("NS-1"))
        assert "NS-1" not in repr(notice)


async def test_an_inbox_without_a_network_says_what_came_before_and_why(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    await nurse.client.send(Person("DR-1"), "Good morning")
    await nurse.client.sync_once()
    async with await Inbox.open(doctor.config) as inbox:
        notices = (await inbox.collect(within=LONG)).notices
        assert len(notices) == 1
        assert doctor.network is not None
        doctor.network.cut()
        collected = await inbox.collect(within=LONG)
        assert collected.notices == notices
        assert (collected.complete, collected.failure) == (False, "WL-NET-UNREACHABLE")
        doctor.network.mend()
        await ward.authority.revoke_device("DR-1", doctor.client.device)
        await ward.publish()
        with pytest.raises(RelayError) as refused:
            await inbox.collect(within=LONG)
        assert refused.value.code == "WL-RELAY-REVOKED"
    with pytest.raises(ClosedError):
        await inbox.collect(within=LONG)


async def test_an_inbox_does_not_open_with_another_key_store(ward: Ward) -> None:
    doctor = await ward.enroll("DR-1")
    other = dataclasses.replace(
        doctor.config, key_store=file_key_store(ward.folder / "other.keys")
    )
    with pytest.raises(KeyStoreError):
        await Inbox.open(other)
