"""The signing side: who is on call, and what everybody obeys."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone

import pytest
from conftest import Ward
from wardline import AuthorityError, Person, SendError
from wardline.authority import RoleAssignment, RoleLine


async def test_a_role_line_is_kept_as_it_was_given(ward: Ward) -> None:
    start = datetime(2027, 1, 1, 7, tzinfo=timezone.utc)
    turn = RoleAssignment("DR-1", start, start + timedelta(hours=12))
    role = RoleLine("cardiology-on-call", "Cardiology on call", (turn,), custodian="NS-1")
    assert await ward.authority.upsert_role(role)
    assert not await ward.authority.upsert_role(role)
    assert await ward.authority.roles() == (role,)
    assert "Cardiology" not in repr(role)
    await ward.publish()
    assert await ward.authority.remove_role("cardiology-on-call")
    assert not await ward.authority.remove_role("cardiology-on-call")
    assert await ward.authority.roles() == ()


async def test_another_policy_is_obeyed_after_the_next_head(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    rules = await ward.authority.policy()
    shorter = dataclasses.replace(rules, max_text_bytes=8)
    assert await ward.authority.set_policy(shorter) == 2
    assert await ward.authority.policy() == shorter
    await ward.publish()
    for _ in range(2):
        await nurse.client.sync_once()
    with pytest.raises(SendError) as refused:
        await nurse.client.send(Person("DR-1"), "far too long")
    assert (refused.value.code, refused.value.limit) == ("WL-SEND-TOO-LONG", 8)
    with pytest.raises(AuthorityError) as nonsense:
        await ward.authority.set_policy(dataclasses.replace(rules, max_text_bytes=0))
    assert nonsense.value.code == "WL-AUTHORITY-POLICY"
