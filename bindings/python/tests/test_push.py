"""Being woken: what an app registers reaches the relay, and nothing about a message its gateway."""

from __future__ import annotations

import asyncio

import pytest
from conftest import Ward
from wardline import ArgumentError, Person, Priority
from wardline.testing import WakeUp

TOPIC = "fcm:example.app"


async def test_a_sleeping_device_is_woken_by_the_token_it_registered(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    await doctor.client.register_push("doctor-token", TOPIC)
    await nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", priority=Priority.STAT)
    await nurse.client.sync_once()
    woken = await asyncio.wait_for(ward.relay.next_wake_up(), 20)
    assert woken == WakeUp(token="doctor-token", topic=TOPIC, wake_class="critical")
    await doctor.client.sync_once()
    assert await doctor.texts("NS-1") == ["K 6.6 mmol/L"]

    # Nobody is woken for the second message: the next wake-up is that of the third.
    await doctor.client.unregister_push()
    await nurse.client.send(Person("DR-1"), "second")
    await nurse.client.sync_once()
    await doctor.client.sync_once()
    await doctor.client.register_push("new-token", TOPIC)
    await nurse.client.send(Person("DR-1"), "third")
    await nurse.client.sync_once()
    woken = await asyncio.wait_for(ward.relay.next_wake_up(), 20)
    assert woken == WakeUp(token="new-token", topic=TOPIC, wake_class="alert")


async def test_a_token_that_cannot_be_one_is_refused_by_its_name(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    for token, topic, name in (("", TOPIC, "token"), ("a\nb", TOPIC, "token"), ("a", "x" * 257, "topic")):
        with pytest.raises(ArgumentError) as refused:
            await nurse.client.register_push(token, topic)
        assert refused.value.name == name
