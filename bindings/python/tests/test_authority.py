"""The signing side: who is on call, and what everybody obeys."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone

import pytest
from conftest import RELAY, Ward
from wardline import AuthorityError, NotFoundError, Person, Priority, SendError
from wardline.authority import (
    Authority,
    AuthoritySecrets,
    PersonDetails,
    RoleAssignment,
    RoleLine,
    StateStore,
)


class Forgetful(StateStore):
    """Keeps nothing."""

    async def save(self, snapshot: bytes) -> None:
        raise OSError("the disk is full")


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


async def test_the_rules_for_stat_messages_and_for_taking_back_come_back_as_set(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    rules = await ward.authority.policy()
    assert (rules.recall_window, rules.stat_roles) == (timedelta(days=1), ())
    strict = dataclasses.replace(
        rules, recall_window=timedelta(0), stat_patient_identifiers=2, stat_roles=("laboratory",)
    )
    await ward.authority.set_policy(strict)
    assert await ward.authority.policy() == strict
    await ward.authority.set_policy(dataclasses.replace(strict, stat_roles=()))
    await ward.publish()
    for _ in range(2):
        await nurse.client.sync_once()
    with pytest.raises(SendError) as unknown:
        await nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", priority=Priority.STAT)
    assert unknown.value.code == "WL-SEND-PATIENT-NOT-IDENTIFIED"


async def test_a_second_device_is_unvouched_until_the_first_vouches(ward: Ward) -> None:
    phone, tablet = await ward.enroll("NS-1"), await ward.enroll("NS-1")
    ours, theirs = phone.client.device, tablet.client.device

    async def vouched() -> dict[str, bool]:
        await phone.client.own_devices()
        await ward.settle(phone)
        return {one.device: one.vouched for one in await phone.client.own_devices()}

    assert await vouched() == {ours: True, theirs: False}
    with pytest.raises(NotFoundError) as nobody:
        await phone.client.vouch(ours)
    assert nobody.value.code == "WL-NO-SUCH-DEVICE"
    with pytest.raises(AuthorityError) as forged:
        await ward.authority.admit_vouch(b"")
    assert forged.value.code == "WL-AUTHORITY-ENTRY"

    statement = await phone.client.vouch(theirs)
    assert await ward.authority.admit_vouch(statement)
    assert not await ward.authority.admit_vouch(statement)
    await ward.publish()
    await ward.settle(phone)
    assert await vouched() == {ours: True, theirs: True}
    person = await ward.authority.person("NS-1")
    assert person is not None and all(device.vouched for device in person.devices)
    assert "test" not in repr(await phone.client.own_devices())


async def test_keys_are_replaced_and_devices_follow(ward: Ward) -> None:
    first = AuthoritySecrets.generate(1)
    authority = Authority.found("mercy", first)
    fresh, alien = AuthoritySecrets.generate(2), AuthoritySecrets.generate(1)
    with pytest.raises(AuthorityError) as refused:
        await authority.rotate(alien, fresh, threshold=2)
    assert refused.value.code == "WL-AUTHORITY-ROOT"
    pin = await authority.pin()
    await authority.rotate(first, fresh, threshold=2)
    assert await authority.pin() == pin
    snapshot = await authority.snapshot()
    with pytest.raises(AuthorityError) as old:
        Authority.restore(snapshot, first)
    assert old.value.code == "WL-AUTHORITY-OTHER-KEY"
    Authority.restore(snapshot, fresh.without_root())

    # With a relay and devices, and not while a head is on its way.
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    await ward.authority.upsert_person(PersonDetails("NS-2", "Another nurse"))
    with pytest.raises(AuthorityError):
        await ward.authority.publish(RELAY, ward.relay.transport(), Forgetful())
    with pytest.raises(AuthorityError) as unsettled:
        await ward.authority.rotate(ward.secrets, fresh, threshold=2)
    assert unsettled.value.code == "WL-AUTHORITY-UNSETTLED"
    await ward.publish()
    await ward.authority.rotate(ward.secrets, fresh, threshold=2)
    await ward.publish()
    await ward.settle(nurse, doctor)
    await nurse.client.send(Person("DR-1"), "under the new keys")
    await ward.settle(nurse, doctor)
    assert await doctor.texts("NS-1") == ["under the new keys"]
