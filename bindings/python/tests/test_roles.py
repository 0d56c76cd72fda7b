"""Writing to a role: who is reached, and who speaks for it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from conftest import Ward
from wardline import Caller, InRole, Person, Role, RoleSpeaker, SendError
from wardline.authority import RoleAssignment, RoleLine

ON_CALL = "cardiology-on-call"


# scenario: roles
async def test_a_message_to_a_role_reaches_who_holds_it_and_the_answer_says_so(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    now = datetime.now(timezone.utc)
    turn = RoleAssignment("DR-1", now - timedelta(hours=1), now + timedelta(hours=1))
    await ward.authority.upsert_role(RoleLine(ON_CALL, "Cardiology on call", (turn,)))
    await ward.authority.upsert_role(RoleLine("nobody-home", "Nobody"))
    await ward.publish()
    await ward.settle(nurse, doctor)

    status = await nurse.client.role(ON_CALL)
    [holder] = status.holders
    assert (status.role, status.display_name, status.current) == (ON_CALL, "Cardiology on call", True)
    assert (holder.user, holder.display_name, holder.reachable) == ("DR-1", "Person DR-1", True)
    assert status.custodian is None and "Person" not in repr(status)
    assert (await nurse.client.role("nobody-home")).holders == ()
    with pytest.raises(SendError) as nobody:
        await nurse.client.send(Role("nobody-home"), "hello?")
    assert nobody.value.code == "WL-SEND-NO-HOLDER"

    await nurse.client.send(Role(ON_CALL), "Troponin 85 ng/l")
    await ward.settle(nurse, doctor)
    [conversation] = (await doctor.client.conversations()).conversations
    assert conversation.recipient == Caller(ON_CALL, "NS-1")
    [asked] = (await doctor.client.timeline(conversation.id)).messages
    assert (asked.text, asked.sender, asked.role) == ("Troponin 85 ng/l", "NS-1", InRole(ON_CALL, None))
    await doctor.client.send(conversation.recipient, "on my way")
    await ward.settle(doctor, nurse)
    page = await nurse.client.timeline(nurse.client.conversation(Role(ON_CALL)))
    reply = page.messages[-1]
    assert (reply.text, reply.sender) == ("on my way", "DR-1")
    assert reply.role == InRole(ON_CALL, RoleSpeaker.HOLDER)
    assert await doctor.texts("NS-1") == [], "a person is not a role"

    with pytest.raises(SendError) as other:
        await nurse.client.send(Caller(ON_CALL, "DR-1"), "as the cardiologist")
    assert other.value.code == "WL-SEND-NOT-YOUR-ROLE"
    await nurse.client.send(Person("DR-1"), "thank you")
