"""What somebody looks for, what to think of before sending, and how long answers took: as values."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from . import model
from ._bridge import native
from ._times import maybe_duration, maybe_native_time
from .model import Patient, PatientIdentifier, Priority


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages to find; everything that is said must hold, and what is not said does not matter."""

    #: Those about a patient with all of these identifiers. One that only tells the patient apart together with
    #: another, such as a date of birth, finds others' messages when it stands alone.
    patient: tuple[PatientIdentifier, ...] = field(default=(), repr=False)
    #: Those this person has written, also those of oneself.
    person: str | None = field(default=None, repr=False)
    #: Those at least so urgent, as they count on this device.
    at_least: Priority | None = None
    #: Those that ask for an answer and that nobody has accepted.
    open: bool = False
    #: Those of this conversation.
    conversation: str | None = None
    #: Those written at this time or later, by their authors' clocks.
    since: datetime | None = None
    #: Those written before this time, by their authors' clocks.
    until: datetime | None = None
    #: Those with these words, as :meth:`wardline.Client.search` finds them. A text without any word finds nothing.
    text: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Caution:
    """Something to think of before a message leaves."""


@dataclass(frozen=True, slots=True)
class Interrupts(Caution):
    """The message interrupts whoever gets it. Ask whether it has to."""

    #: How much: urgent or stat.
    priority: Priority
    #: So many messages of this person to the same recipient still wait for an answer.
    open: int


@dataclass(frozen=True, slots=True)
class NoPatient(Caution):
    """The message interrupts, and does not say which patient it is about."""


@dataclass(frozen=True, slots=True)
class OneIdentifier(Caution):
    """The patient is named by fewer than two identifiers, which do not tell patients apart."""

    #: How many there are.
    given: int


@dataclass(frozen=True, slots=True)
class SimilarPatient(Caution):
    """Another patient is known here by the same name or one that is easily confused with it. Show both."""

    #: The other one: identifiers in the order of their systems, no encounter.
    known: Patient = field(repr=False)
    #: The names are the same but for case, accents and order.
    same_name: bool


@dataclass(frozen=True, slots=True)
class OtherName(Caution):
    """A patient with the same identifiers is known here by another name."""

    #: Name and identifiers they are known by, in the order of their systems; no encounter.
    known: Patient = field(repr=False)


@dataclass(frozen=True, slots=True)
class UnknownCaution(Caution):
    """Something that this version of the package has no word for. Update it."""


@dataclass(frozen=True, slots=True)
class PersonDevice:
    """A device of a person."""

    user: str
    device: str


class LoopGrouping(enum.Enum):
    """What to count together."""

    #: Each person by themselves.
    PERSON = "person"
    #: The staff roles of the person; who has several counts in each.
    STAFF_ROLE = "staff role"
    #: The departments of the person's staff roles; who is in several counts in each.
    DEPARTMENT = "department"
    #: How urgent the message was.
    PRIORITY = "priority"


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Exact quantiles by nearest rank."""

    #: Of so many values.
    count: int
    #: The median; ``None`` when there is no value.
    p50: timedelta | None
    #: At least 95 of 100 values are not longer; ``None`` when there is no value.
    p95: timedelta | None


@dataclass(frozen=True, slots=True)
class LoopTimes:
    """How long it took in one group."""

    #: The person's id, the code of the staff role, the department or the :class:`~wardline.Priority`; ``None`` for
    #: whoever has no role or department or is not known on this device.
    group: str | Priority | None
    #: So many messages, counted for each person they went to.
    messages: int
    #: From when the relay had it to when the first device of the person did (t1 to t2).
    sent_to_delivered: Quantiles
    #: From when the relay had it to when the person opened it (t1 to t3).
    sent_to_read: Quantiles
    #: From when the relay had it to the acceptance that stands (t1 to t4).
    sent_to_acknowledged: Quantiles
    #: From what the message tells of to the acceptance that stands (t0 to t4), where its author gave that time.
    event_to_acknowledged: Quantiles
    #: So many declined.
    declined: int
    #: So many asked for an answer, did not get one of this person, and were accepted by nobody else either.
    unanswered: int
    #: So many asked for an answer within a time that is over, and nobody had accepted by then.
    overdue: int


# From the native library and to it.


def native_filter(wanted: Filter) -> Any:
    least = wanted.at_least
    return native.Filter(
        patient=[model.native_identifier(one) for one in wanted.patient],
        person=wanted.person,
        at_least=None if least is None else model.native_priority(least),
        open=wanted.open,
        conversation=wanted.conversation,
        since_ms=maybe_native_time(wanted.since),
        until_ms=maybe_native_time(wanted.until),
        text=wanted.text,
    )


def caution(value: Any) -> Caution:
    kind = _CAUTIONS.get(type(value))
    return UnknownCaution() if kind is None else kind(value)


def loop_times(record: Any) -> LoopTimes:
    urgency = record.priority
    return LoopTimes(
        group=record.group if urgency is None else model.priority(urgency),
        messages=record.messages,
        sent_to_delivered=_quantiles(record.sent_to_delivered),
        sent_to_read=_quantiles(record.sent_to_read),
        sent_to_acknowledged=_quantiles(record.sent_to_acknowledged),
        event_to_acknowledged=_quantiles(record.event_to_acknowledged),
        declined=record.declined,
        unanswered=record.unanswered,
        overdue=record.overdue,
    )


def _quantiles(record: Any) -> Quantiles:
    return Quantiles(record.count, maybe_duration(record.p50_ms), maybe_duration(record.p95_ms))


_CAUTIONS: dict[Any, Callable[[Any], Caution]] = {
    native.Caution.INTERRUPTS: lambda it: Interrupts(model.priority(it.priority), it.open),
    native.Caution.NO_PATIENT: lambda it: NoPatient(),
    native.Caution.ONE_IDENTIFIER: lambda it: OneIdentifier(it.given),
    native.Caution.SIMILAR_PATIENT: lambda it: SimilarPatient(
        model.patient(it.known), it.same_name
    ),
    native.Caution.OTHER_NAME: lambda it: OtherName(model.patient(it.known)),
}
