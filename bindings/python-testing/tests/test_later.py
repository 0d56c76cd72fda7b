"""Sending at a time, and standing in for somebody who is away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from wardline import Availability, Away
from wardline.authority import Forwarding, LegalHold
from wardline.testing import Ward

MINUTE = timedelta(minutes=1)


async def test_a_message_is_sent_at_its_time_though_its_authors_phone_is_off(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    await ward.at_rest()
    at = ward.clock.now + 30 * MINUTE
    later = await doctor.send(nurse, "repeat potassium", send_at=at)
    cancelled = await doctor.send(nurse, "never mind", send_at=at)
    await ward.at_rest()
    [mine] = await doctor.client.messages(later.reference)
    assert mine.scheduled_for == at
    await doctor.recall(cancelled, "not needed")
    await ward.at_rest()
    assert not await ward.holds(nurse.shows(later))
    doctor.kill()
    ward.passes(31 * MINUTE)
    await ward.until(nurse.shows(later))
    assert not await ward.holds(nurse.shows(cancelled))


async def test_who_stands_in_for_somebody_away_is_given_a_copy_and_both_say_so(ward: Ward) -> None:
    lab, away, stand_in = [await ward.device(who) for who in ("Laboratory", "Dr. Gupta", "Dr. Lee")]
    until = ward.clock.now + timedelta(hours=8)
    await away.client.set_availability(Availability(away=Away(until, stand_in.user)))
    await ward.at_rest()
    await lab.client.reachability(away.user)
    result = await lab.send(away, "K 6.6 mmol/L", priority="stat")
    await ward.until(away.delivered(result) & stand_in.shows(result))
    [copy] = await stand_in.client.messages(result.reference)
    assert copy.on_behalf_of == away.user
    [mine] = await lab.client.messages(result.reference)
    assert [(one.on_behalf_of, one.delegate, one.until) for one in mine.stand_ins] == [
        (away.user, stand_in.user, until)
    ]


async def test_a_policy_holds_what_it_names_and_says_who_hands_on(ward: Ward) -> None:
    rules = await ward.authority.policy()
    assert (rules.legal_hold, rules.forwarding) == (LegalHold(), Forwarding.ALLOWED)
    wanted = replace(
        rules, legal_hold=LegalHold(people=("dr-gupta",)), forwarding=Forwarding.SAME_TEAM
    )
    await ward.authority.set_policy(wanted)
    assert await ward.authority.policy() == wanted
