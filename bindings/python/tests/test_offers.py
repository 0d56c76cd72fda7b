"""Short replies: one tap says exactly what was offered, and whoever asked sees who chose what."""

from __future__ import annotations

import pytest
from conftest import Ward
from wardline import Person, Priority, SendError

OFFERS = ("Yes, once", "No, I am on my way")


# scenario: quick-replies
async def test_a_short_reply_says_what_was_offered_and_who_chose_it(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    sent = await nurse.client.send(
        Person("DR-1"), "Repeat the dose?", offers=OFFERS, priority=Priority.STAT
    )
    await ward.settle(nurse, doctor)
    message = await doctor.newest("NS-1")
    assert (message.offers, message.chosen) == (OFFERS, None)
    assert "once" not in repr(message)
    for index in (0, 1):
        await doctor.client.reply_with(message, index)
    await ward.settle(doctor, nurse)
    reply = await nurse.newest("DR-1")
    assert (reply.text, reply.chosen, reply.in_reply_to) == (OFFERS[1], 1, message.reference)
    first, last = await nurse.client.choices(sent)
    assert (first.user, first.index, first.stands) == ("DR-1", 0, False)
    assert (last.index, last.stands, last.outdated, last.reply) == (1, True, False, reply.reference)
    asked = (await nurse.client.messages(message.reference))[0].asked
    assert asked is not None and asked.open, "a choice is no verdict"

    for index, code in [(2, "WL-SEND-NOT-OFFERED"), (4_000_000_000, "WL-SEND-NOT-OFFERED")]:
        with pytest.raises(SendError) as refused:
            await doctor.client.reply_with(message, index)
        assert refused.value.code == code
    with pytest.raises(SendError) as bad:
        await nurse.client.send(Person("DR-1"), "?", offers=["yes", "yes"])
    assert bad.value.code == "WL-SEND-BAD-OFFER"


# scenario: quick-replies
async def test_what_only_looks_like_a_choice_is_a_text(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    sent = await nurse.client.send(Person("DR-1"), "Repeat the dose?", offers=OFFERS)
    await ward.settle(nurse, doctor)
    message = await doctor.newest("NS-1")
    await doctor.client.send(Person("NS-1"), OFFERS[0], reply_to=message)
    await ward.settle(doctor, nurse)
    assert (await nurse.newest("DR-1")).chosen is None
    assert await nurse.client.choices(sent) == ()
