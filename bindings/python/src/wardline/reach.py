"""What people say of whether they can be reached, and what is known of it before something is sent: as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ._bridge import native
from ._times import maybe_native_time, maybe_time, time


@dataclass(frozen=True, slots=True)
class Away:
    """Somebody is away."""

    #: Until then.
    until: datetime
    #: Who is given a copy of what is written to them meanwhile.
    delegate: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Availability:
    """What a person says of themselves."""

    #: Until then only stat messages give notice.
    do_not_disturb_until: datetime | None = None
    away: Away | None = None


@dataclass(frozen=True, slots=True)
class Reachability:
    """Whether somebody can be reached, as far as is known: an answer, never a guess. What nobody knows is ``None``."""

    user: str = field(repr=False)
    #: Whether the directory lists them with a device that can be written to; ``None`` when it was not asked.
    has_device: bool | None
    #: When a device of theirs last called the relay, to the minute: the relay's word, by its clock. A phone that calls
    #: lies in a pocket perhaps; it is not the person who was seen.
    last_seen: datetime | None
    #: Until then only stat messages give them notice: their own signed word, like what follows.
    do_not_disturb_until: datetime | None
    #: Until then they are away.
    away_until: datetime | None
    #: Who stands in for them while they are away.
    delegate: str | None = field(repr=False)
    #: When the relay was last asked, by this device's clock; ``None`` when it never was. Without a network it is what
    #: was known then.
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class StandIn:
    """A message was also given to somebody who stands in for a person who is away."""

    #: The person who is away.
    on_behalf_of: str = field(repr=False)
    #: Who stands in for them.
    delegate: str = field(repr=False)
    #: Until when, by that person's own word.
    until: datetime


# From the native library and to it.


def native_availability(said: Availability) -> Any:
    away = said.away
    return native.Availability(
        do_not_disturb_until_ms=maybe_native_time(said.do_not_disturb_until),
        away_until_ms=None if away is None else maybe_native_time(away.until),
        delegate=None if away is None else away.delegate,
    )


def availability(record: Any) -> Availability:
    until = maybe_time(record.away_until_ms)
    away = None if until is None else Away(until, record.delegate)
    return Availability(maybe_time(record.do_not_disturb_until_ms), away)


def reachability(record: Any) -> Reachability:
    return Reachability(
        user=record.user,
        has_device=record.has_device,
        last_seen=maybe_time(record.last_seen_ms),
        do_not_disturb_until=maybe_time(record.do_not_disturb_until_ms),
        away_until=maybe_time(record.away_until_ms),
        delegate=record.delegate,
        as_of=maybe_time(record.as_of_ms),
    )


def stand_in(record: Any) -> StandIn:
    return StandIn(record.on_behalf_of, record.delegate, time(record.until_ms))
