"""Escalation on a ward: the next tier is given what nobody has accepted, even when its author's phone is dead."""

from __future__ import annotations

from datetime import timedelta

import pytest
from wardline import Armed, Escalated, EscalationTier, SendError
from wardline.testing import Device, Ward

MINUTE = timedelta(minutes=1)


async def _tiers(device: Device) -> list[int]:
    events = await device.client.events_from(limit=500)
    return [one.tier for one in events if isinstance(one, Escalated)]


async def _ward(ward: Ward) -> tuple[Device, Device, Device, Device]:
    lab, doctor, second, third = [
        await ward.device(who) for who in ("Laboratory", "Dr. Gupta", "Dr. Lee", "Dr. Osei")
    ]
    await ward.at_rest()
    return lab, doctor, second, third


# scenario: escalation
async def test_the_next_tier_gets_it_though_the_senders_phone_is_dead(ward: Ward) -> None:
    lab, doctor, second, third = await _ward(ward)
    tiers = [
        EscalationTier(5 * MINUTE, people=(second.user,)),
        EscalationTier(5 * MINUTE, people=(third.user,)),
    ]
    result = await lab.send(doctor, "K 6.6 mmol/L", priority="stat", escalate=tiers)
    await ward.until(doctor.delivered(result))
    status = await lab.client.escalation(result.id)
    assert status is not None and status.armed is Armed.YES and status.stopped is None
    assert [tier.people for tier in status.tiers] == [(second.user,), (third.user,)]
    lab.kill()
    ward.passes(4 * MINUTE)
    await ward.at_rest()
    assert not await ward.holds(second.shows(result))
    ward.passes(MINUTE)
    await ward.until(second.shows(result))
    assert not await ward.holds(third.shows(result))
    assert await _tiers(second) == [0]

    await second.answer(result, accept=True, read_back="K 6.6, going")
    await ward.at_rest()
    ward.passes(30 * MINUTE)
    await ward.at_rest()
    assert not await ward.holds(third.shows(result)), "the first acceptance stops all later tiers"
    await lab.reopen()
    await ward.until(lab.answered_by(result, second, accept=True))
    status = await lab.client.escalation(result.id)
    assert status is not None and status.stopped is not None
    assert status.stopped.user == second.user
    await ward.assert_nothing_leaked()


async def test_a_decline_brings_the_next_tier_at_once_and_an_answer_in_time_none(ward: Ward) -> None:
    lab, doctor, second, third = await _ward(ward)
    tiers = [EscalationTier(30 * MINUTE, people=(second.user,))]
    declined = await lab.send(doctor, "first result", priority="stat", escalate=tiers)
    accepted = await lab.send(doctor, "second result", priority="stat", escalate=tiers)
    await ward.until(doctor.delivered(declined) & doctor.delivered(accepted))
    await doctor.answer(declined, accept=False, read_back="in theatre")
    await doctor.answer(accepted, accept=True, read_back="second")
    await ward.until(second.shows(declined))
    ward.passes(60 * MINUTE)
    await ward.at_rest()
    assert not await ward.holds(second.shows(accepted))
    assert not await ward.holds(third.shows(declined))
    status = await lab.client.escalation(declined.id)
    assert status is not None and [tier.advanced for tier in status.tiers] == [True]

    with pytest.raises(SendError) as nobody:
        await lab.send(doctor, "to whom?", escalate=[EscalationTier(MINUTE)])
    assert nobody.value.code == "WL-SEND-EMPTY-TIER"
    many = [EscalationTier(MINUTE, people=(second.user,))] * 9
    with pytest.raises(SendError) as too_many:
        await lab.send(doctor, "everybody", escalate=many)
    assert (too_many.value.code, too_many.value.limit) == ("WL-SEND-TOO-MANY-TIERS", 8)
    assert await lab.client.escalation((await lab.send(doctor, "plain")).id) is None
