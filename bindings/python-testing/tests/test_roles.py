"""Roles on a ward: whoever holds it is reached, whoever held it is not."""

from __future__ import annotations

from datetime import timedelta

from wardline import InRole, RoleSpeaker
from wardline.testing import Ward


# scenario: roles
async def test_a_message_to_a_role_goes_to_who_holds_it_now_and_not_to_who_left(ward: Ward) -> None:
    nurse, early, late = [await ward.device(who) for who in ("Nurse Okafor", "Dr. Gupta", "Dr. Lee")]
    on_call = await ward.role("Cardiology on call", early, hours=12)
    first = await nurse.send(on_call, "Troponin 85 ng/l")
    await ward.until(early.delivered(first))
    await ward.assert_exactly_once(first)
    assert not await ward.holds(late.shows(first))

    ward.passes(timedelta(hours=12))
    on_call = await ward.role("Cardiology on call", late, hours=12)
    [holder] = (await nurse.client.role(on_call.role)).holders
    assert holder.user == late.user
    second = await nurse.send(on_call, "Troponin 210 ng/l")
    await ward.until(late.delivered(second))
    await ward.assert_exactly_once(second)
    assert not await ward.holds(early.shows(second))
    [shown] = await late.client.messages(second.reference)
    assert shown.role == InRole(on_call.role, None)
    [conversation] = (await late.client.conversations()).conversations
    reply = await late.send(conversation.recipient, "on my way")
    await ward.until(nurse.delivered(reply))
    [read] = await nurse.client.messages(reply.reference)
    assert read.role == InRole(on_call.role, RoleSpeaker.HOLDER)
    await ward.assert_nothing_leaked()
