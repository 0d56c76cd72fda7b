"""The first screen: which conversations there are, what is unread, and the list that follows."""

from __future__ import annotations

import asyncio

import pytest
from conftest import WORDS, Ward
from wardline import (
    ArgumentError,
    ConversationListView,
    Direction,
    LockedError,
    Passphrase,
    Person,
    Priority,
    Team,
    VaultError,
)


async def test_the_list_says_with_whom_what_came_last_and_what_is_unread(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    await nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", priority=Priority.STAT)
    sent = await nurse.client.send(Team("team-1"), "rounds at nine")
    await ward.settle(nurse, doctor)

    page = await doctor.client.conversations()
    team, direct = page.conversations
    assert (team.recipient, direct.recipient) == (Team("team-1"), Person("NS-1"))
    assert direct.id == doctor.client.conversation(Person("NS-1"))
    assert (direct.unread, direct.unread_priority) == (1, Priority.STAT)
    assert (team.newest.id, team.newest.sender) == (sent, "NS-1")
    assert team.newest.direction is Direction.INCOMING
    assert team.newest.preview == "rounds at nine"
    assert "rounds" not in repr(team)
    assert page.unread == await doctor.client.unread_total() == 2
    assert page.before is None

    first = await doctor.client.conversations(size=1)
    assert first.conversations == (team,)
    rest = await doctor.client.conversations(before=first.before, size=2)
    assert rest.conversations == (direct,)

    doctor.client.lock()
    page = await doctor.client.conversations()
    assert [one.newest.preview for one in page.conversations] == [None, None]
    assert page.unread == 2


# scenario: live-queries
async def test_the_list_follows_what_happens_and_the_lock(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    view = await doctor.client.follow_conversations(size=10)
    assert (view.conversations, view.unread) == ((), 0)
    waiting = asyncio.create_task(view.changed())
    await nurse.client.send(Person("DR-1"), "look here")
    await ward.settle(nurse, doctor)
    change = await asyncio.wait_for(waiting, 5)
    assert [one.newest.preview for one in change.added] == ["look here"]
    assert (change.unread, view.unread) == (1, 1)

    message = await doctor.newest("NS-1")
    await doctor.client.mark_read(message)
    change = await asyncio.wait_for(view.changed(), 5)
    assert ([one.unread for one in change.updated], view.unread) == ([0], 0)

    doctor.client.lock()
    await asyncio.wait_for(view.changed(), 5)
    assert [one.newest.preview for one in view.conversations] == [None]
    await doctor.client.unlock(Passphrase(WORDS))

    async def texts() -> list[str | None]:
        async for _ in view:
            found = [one.newest.preview for one in view.conversations]
            if found != [None]:
                return found
        return []

    assert await asyncio.wait_for(texts(), 5) == ["look here"]
    ending = asyncio.create_task(_to_the_end(view))
    await asyncio.sleep(0.05)
    await doctor.client.close()
    await asyncio.wait_for(ending, 5)


async def _to_the_end(view: ConversationListView) -> None:
    async for _ in view:
        pass


async def test_a_message_is_named_by_its_reference(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    sent = [await nurse.client.send(Person("DR-1"), text) for text in ("one", "two")]
    await ward.settle(nurse, doctor)
    references = [f"{nurse.client.device}/{message}" for message in sent]
    missing = f"{doctor.client.device}/{sent[0]}"
    found = await doctor.client.messages(references[1], missing, references[0])
    assert [message.text for message in found] == ["two", "one"]

    with pytest.raises(ArgumentError) as refused:
        await doctor.client.mark_read(sent[0])
    assert refused.value.name == "references"
    doctor.client.lock()
    with pytest.raises(LockedError):
        await doctor.client.messages(*references)


async def test_presence_unlocks_once_it_is_allowed_and_until_it_is_forbidden(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    await nurse.client.send(Person("DR-1"), "still here")
    nurse.client.lock()
    with pytest.raises(VaultError) as off:
        await nurse.client.unlock_by_presence()
    assert nurse.client.is_locked
    await nurse.client.allow_presence(Passphrase(WORDS))
    await nurse.client.unlock_by_presence()
    assert await nurse.texts("DR-1") == ["still here"]
    await nurse.client.forbid_presence()
    nurse.client.lock()
    with pytest.raises(VaultError) as again:
        await nurse.client.unlock_by_presence()
    assert again.value.code == off.value.code == "WL-VAULT-PRESENCE-OFF"
