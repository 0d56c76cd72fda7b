"""Who is reached through a role, and in whose name a message was written: as values.

The organization's side, which plans who holds a role when, is :mod:`wardline.authority`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ._bridge import native
from ._times import maybe_time, time


@dataclass(frozen=True, slots=True)
class RoleHolder:
    """Somebody who holds a role now."""

    user: str = field(repr=False)
    #: Their name; empty when the directory does not know them.
    display_name: str = field(repr=False)
    #: Whether they have a device that could receive.
    reachable: bool
    #: When their turn ends.
    until: datetime


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """Who is reached through a role, and until when that is so."""

    role: str
    #: What the organization calls it.
    display_name: str = field(repr=False)
    #: Who holds it now, each once; nobody, one, or several when turns overlap.
    holders: tuple[RoleHolder, ...]
    #: When somebody else holds it, as far as is planned.
    next_change: datetime | None
    #: Who gets its messages as well, keeps them while nobody holds it, and hands open ones on.
    custodian: str | None = field(repr=False)
    #: Whether the directory confirmed it within the policy's refresh time; otherwise it is what was last known.
    current: bool


class RoleSpeaker(enum.Enum):
    """What lets somebody speak for a role."""

    #: They held it.
    HOLDER = "holder"
    #: They are its custodian.
    CUSTODIAN = "custodian"
    #: They say that they wrote when they held it; when it came, they held it no more.
    FORMER_HOLDER = "former holder"


@dataclass(frozen=True, slots=True)
class InRole:
    """A message in a conversation with a role."""

    #: The role it was sent to, or in whose name it was written.
    role: str
    #: As what its sender speaks for the role; ``None``: they are the caller, who writes to it.
    speaks: RoleSpeaker | None
    #: Who has passed it on to this person, who holds the role since: its sender is its author all the same.
    passed_by: str | None = None
    #: It was handed over to whoever came next: it is no more to be answered here.
    handed_over: bool = False


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What was handed over."""

    #: The id of the note.
    note: str
    #: How many messages were open, and are whoever comes next's to answer.
    items: int


# From the native library.

_SPEAKER = {member: RoleSpeaker[member.name] for member in native.RoleSpeaker}


def role_status(record: Any) -> RoleStatus:
    return RoleStatus(
        role=record.role,
        display_name=record.display_name,
        holders=tuple(
            RoleHolder(one.user, one.display_name, one.reachable, time(one.until_ms))
            for one in record.holders
        ),
        next_change=maybe_time(record.next_change_ms),
        custodian=record.custodian,
        current=record.current,
    )


def in_role(record: Any) -> InRole:
    speaks = record.speaks
    return InRole(
        record.role,
        None if speaks is None else _SPEAKER[speaks],
        record.passed_by,
        record.handed_over,
    )
