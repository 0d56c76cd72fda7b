"""Who is given a message when nobody accepts it in time, and how that stands: as values."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ._bridge import native
from ._times import maybe_time, native_millis, time


@dataclass(frozen=True, slots=True)
class EscalationTier:
    """Who is given a message next, and when."""

    #: So long after the tier before it, the first one after the message was sent.
    after: timedelta
    #: These people, on all devices they have when the message is sealed.
    people: tuple[str, ...] = ()
    #: Whoever holds these roles when the tier's time has come.
    roles: tuple[str, ...] = ()


class Armed(enum.Enum):
    """Whether a message's escalation is at the relay."""

    #: Not yet: message or escalation wait on this device.
    WAITING = "waiting"
    #: The relay has both, and needs nobody's phone.
    YES = "yes"
    #: The relay has both; a tier for which nobody has a device that can be sealed for is left out.
    PARTLY = "partly"
    #: It is not: nobody else will be given the message.
    NO = "no"


@dataclass(frozen=True, slots=True)
class TierStatus:
    """How one tier stands."""

    #: The people it names.
    people: tuple[str, ...]
    #: The roles it names.
    roles: tuple[str, ...]
    #: When it is due if nobody answers and nobody declines; counted from when the relay took the message, on others'
    #: devices from when it was written. After a release this counts from there.
    due_at: datetime
    #: When it was released, by the relay's clock.
    released_at: datetime | None
    #: It came before its time because somebody declined.
    advanced: bool
    #: It came before its time, and no decline is known to this device: the relay may be lying.
    early: bool
    #: Whose devices it was given to.
    given_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EscalationStopped:
    """Who has stopped an escalation, as the relay says."""

    #: The person, if this device knows whose device it was.
    user: str | None
    device: str
    #: When, by the relay's clock.
    at: datetime


@dataclass(frozen=True, slots=True)
class EscalationStatus:
    """How the escalation of a message stands, as far as this device knows: its author's own device is told everything,
    others know what the author has signed and what they were given."""

    #: Whether the relay has it. On others' devices: what its author has signed.
    armed: Armed
    #: The tiers, in the order of their release.
    tiers: tuple[TierStatus, ...]
    #: By which tier, from 0, this device was given the message; ``None``: it is among those it was sent to first.
    given_here: int | None
    #: Set when no further tier will be released.
    stopped: EscalationStopped | None


# From the native library and to it.

_ARMED = {member: Armed[member.name] for member in native.Armed}


def native_tier(tier: EscalationTier) -> Any:
    return native.EscalationTier(
        after_ms=native_millis(tier.after), people=list(tier.people), roles=list(tier.roles)
    )


def status(record: Any) -> EscalationStatus:
    stopped = record.stopped
    return EscalationStatus(
        armed=_ARMED[record.armed],
        tiers=tuple(_tier(one) for one in record.tiers),
        given_here=record.given_here,
        stopped=None
        if stopped is None
        else EscalationStopped(stopped.user, stopped.device, time(stopped.at_ms)),
    )


def _tier(record: Any) -> TierStatus:
    return TierStatus(
        people=tuple(record.people),
        roles=tuple(record.roles),
        due_at=time(record.due_at_ms),
        released_at=maybe_time(record.released_at_ms),
        advanced=record.advanced,
        early=record.early,
        given_to=tuple(record.given_to),
    )
