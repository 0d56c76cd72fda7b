"""Whom a message is for: the people behind a recipient, and how a row of the time line says it."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from wardline.authority import Authority, RoleLine
from wardline.model import Caller, Person, Recipient, Role, Team


async def users_of(recipient: Recipient, authority: Authority, now: datetime) -> frozenset[str]:
    """The ids of the people a message goes to when it is sealed now, as the organization has them."""
    match recipient:
        case Person(user):
            return frozenset({user})
        case Team(team):
            teams = await authority.teams()
            return frozenset(
                one.user for found in teams if found.team == team for one in found.members
            )
        case Role(role):
            return await _reached(role, authority, now)
        case Caller(role, person):
            return await _reached(role, authority, now) | {person}
        case _:
            assert_never(recipient)


def words(recipient: Recipient) -> str:
    """A recipient as a row of the time line says it."""
    match recipient:
        case Person(user):
            return user
        case Team(team):
            return f"team {team}"
        case Role(role):
            return f"role {role}"
        case Caller(role, person):
            return f"{person}, as role {role}"
        case _:
            assert_never(recipient)


async def _reached(role: str, authority: Authority, now: datetime) -> frozenset[str]:
    def users(line: RoleLine) -> set[str]:
        holders = {one.user for one in line.assignments if one.start <= now < one.end}
        return holders | ({line.custodian} if line.custodian else set())

    lines = await authority.roles()
    return frozenset().union(*(users(line) for line in lines if line.role == role))
