"""Messages that end: on time, on every device, and nothing of them is left."""

from __future__ import annotations

from datetime import timedelta

import pytest
from wardline import Lifetime, MessageExpired, SendError
from wardline.testing import Ward

MINUTE = timedelta(minutes=1)


# scenario: expiry
async def test_a_message_is_over_on_time_and_no_clock_brings_it_back(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    code = await doctor.send(nurse, "door code 4711", lifetime=Lifetime(after_sent=10 * MINUTE))
    kept = await doctor.send(nurse, "rounds at nine")
    await ward.until(nurse.delivered(code) & nurse.delivered(kept))
    shown, other = await nurse.messages(doctor)
    assert shown.expires_at == shown.created_at + 10 * MINUTE
    assert (shown.expired_at, other.expires_at) == (None, None)
    ward.passes(11 * MINUTE)
    await ward.at_rest()
    for device, with_ in ((nurse, doctor), (doctor, nurse)):
        over, left = await device.messages(with_)
        assert (over.text, left.text) == ("", "rounds at nine")
        assert over.expired_at is not None
        events = await device.client.events_from(limit=500)
        told = [one.reference for one in events if isinstance(one, MessageExpired)]
        assert told == [code.reference]
        assert await device.client.search("4711") == ()
    ward.clock.set(ward.clock.now - 30 * MINUTE)
    assert (await nurse.texts(doctor))[0] == ""
    assert "is over" in ward.time_line()


async def test_a_conversation_has_a_lifetime_that_is_shown_before_one_writes(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    conversation = doctor.client.conversation(nurse.recipient)
    assert await doctor.client.lifetime(conversation) == Lifetime()
    wanted = Lifetime(after_read=5 * MINUTE)
    await doctor.client.set_lifetime(nurse.recipient, wanted)
    assert await doctor.client.lifetime(conversation) == wanted
    message = await doctor.send(nurse, "for a moment")
    await ward.until(nurse.delivered(message))
    [shown] = await nurse.messages(doctor)
    assert (shown.expires_at, shown.expires_after_read) == (None, 5 * MINUTE)
    opened = await nurse.opens(message)
    [shown] = await nurse.messages(doctor)
    assert shown.expires_at is not None and shown.expires_at >= opened.created_at + 5 * MINUTE
    with pytest.raises(SendError) as refused:
        await doctor.client.set_lifetime(nurse.recipient, Lifetime(after_sent=timedelta(0)))
    assert refused.value.code == "WL-SEND-LIFETIME"
