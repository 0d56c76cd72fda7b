"""The end of a shift: what is open goes to whoever comes next, under its author's name."""

from __future__ import annotations

from datetime import timedelta

import pytest
from wardline import OpenItems, Role, Sbar, SendError
from wardline.authority import RoleAssignment, RoleLine
from wardline.testing import Ward


async def test_what_is_open_is_handed_over_and_answered_by_who_comes_next(ward: Ward) -> None:
    nurse, early, late = [await ward.device(who) for who in ("Nurse Okafor", "Dr. Gupta", "Dr. Lee")]
    now, shift = ward.clock.now, timedelta(hours=8)
    turns = (
        RoleAssignment(early.user, now, now + shift),
        RoleAssignment(late.user, now + shift, now + 2 * shift),
    )
    await ward.authority.upsert_role(RoleLine("on-call", "On call", turns))
    await ward.publish()
    ward.passes(timedelta(minutes=2))
    await ward.at_rest()
    asked = await nurse.send(Role("on-call"), "K 6.6 mmol/L", priority="stat")
    await ward.until(early.delivered(asked))
    assert not await ward.holds(late.shows(asked))

    with pytest.raises(SendError) as refused:
        await nurse.client.hand_over("on-call", Sbar("not mine"))
    assert refused.value.code == "WL-SEND-NOT-YOUR-ROLE"
    handed = await early.client.hand_over("on-call", Sbar("one open potassium"))
    assert handed.items == 1
    await ward.until(late.shows(asked))
    [shown] = await late.client.messages(asked.reference)
    assert (shown.text, shown.sender) == ("K 6.6 mmol/L", nurse.user)
    assert shown.role is not None and shown.role.passed_by == early.user
    [kept] = await early.client.messages(asked.reference)
    assert kept.role is not None and kept.role.handed_over
    assert await early.client.open_items(OpenItems.TO_ANSWER) == ()

    await late.answer(asked, accept=True, read_back="K 6.6, on my way")
    await ward.until(nurse.answered_by(asked, late, accept=True))
