"""What goes in and what comes out, as values: compare them, hash them, keep them.

Their ``repr`` shows nothing of what was written, or about whom, so that a log line does not either.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from ._bridge import native
from ._times import maybe_duration, maybe_time, time
from .answers import (
    Amended,
    Answer,
    Asked,
    Choice,
    Recalled,
    RecallOutcome,
    StandingAnswer,
    Verdict,
    Version,
)
from .reach import StandIn, stand_in
from .roles import InRole, in_role
from .forwarded import Forwarded, forwarded
from .structured import Structured, structured

if TYPE_CHECKING:
    from .host import RelayRequest


class Priority(enum.Enum):
    """How urgent a message is, and so how loudly it asks for attention."""

    #: Does not interrupt.
    ROUTINE = "routine"
    #: Interrupts once.
    URGENT = "urgent"
    #: Interrupts until somebody acknowledges.
    STAT = "stat"


class Direction(enum.Enum):
    """Which way a message went."""

    OUTGOING = "outgoing"
    INCOMING = "incoming"
    #: Written by the same person on another device.
    OWN_OTHER_DEVICE = "own other device"


class Proof(enum.Enum):
    """What stands behind a sender."""

    #: The directory listed the sending device as active when the message was opened.
    PROVEN = "proven"
    #: The device had been revoked, or its person had left: never an order, never an answer.
    REVOKED = "revoked"


class DeliveryState(enum.Enum):
    """How far a message has come."""

    #: It will not arrive, unless the device proves otherwise.
    FAILED = "failed"
    #: On this device's disk, not yet at the relay.
    QUEUED = "queued"
    #: The relay has it on disk.
    SENT = "sent"
    #: The device has it on disk and has signed for it.
    DELIVERED = "delivered"
    #: A person opened it; the device has signed for it.
    READ = "read"


class FailureCause(enum.Enum):
    """Why a message will not arrive at a device."""

    NO_SUCH_PERSON = "no such person"
    NO_DEVICE = "no device"
    REVOKED = "revoked"
    UNKNOWN_DEVICE = "unknown device"
    MAILBOX_FULL = "mailbox full"
    NO_KEYS = "no keys"
    #: The team has gone or has nobody but the author; it stands under the author's own name.
    NO_SUCH_TEAM = "no such team"
    #: The relay will not take it for anybody, however often it is posted.
    REFUSED_BY_RELAY = "refused by relay"
    #: The time in which it may be sealed was over before it left.
    TIME_UP = "time up"
    #: Nobody holds the role and it has no custodian; it stands under the author's own name.
    NO_HOLDER = "no holder"
    #: The author had not held the role for a while when it could be sealed.
    NOT_HOLDER = "not holder"


@dataclass(frozen=True, slots=True)
class Person:
    """One person, on all of their devices."""

    user: str


@dataclass(frozen=True, slots=True)
class Team:
    """Everybody on a care team, on all of their devices."""

    team: str


@dataclass(frozen=True, slots=True)
class Role:
    """Whoever holds a role when the message is sealed, and the role's custodian."""

    role: str


@dataclass(frozen=True, slots=True)
class Caller:
    """As whoever holds a role, or its custodian: the person who has written to it."""

    role: str
    person: str


#: Whom a message is for.
Recipient: TypeAlias = Person | Team | Role | Caller


@dataclass(frozen=True, slots=True)
class PatientIdentifier:
    """One identifier of a patient: whose it is (a URI), and its value."""

    system: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Patient:
    """The patient a message is about; two identifiers tell patients apart."""

    identifiers: tuple[PatientIdentifier, ...] = field(repr=False)
    #: The patient's name as people say it.
    name: str = field(default="", repr=False)
    #: The encounter, as the EHR names it; may be empty.
    encounter: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as a person reads it."""

    #: Its id, the same on every device. Unique only among the messages of its author's device.
    id: str
    #: Names it among all messages on this device: its author's device, a slash and its id. What is done
    #: to a message takes this.
    reference: str
    #: The conversation it is in.
    conversation: str
    #: Its place in this device's timelines; grows.
    cursor: int
    #: Who wrote it, as the directory proves.
    sender: str
    #: On which device.
    sender_device: str
    #: Whether it came in, or was written here or on another device of the same person.
    direction: Direction
    #: Whether the directory still stood behind the sender when it came.
    proof: Proof
    #: How urgent it is.
    priority: Priority
    #: What it says; for a type this version does not know, its fallback text.
    text: str = field(repr=False)
    #: The type of its content; empty when the stored body is damaged.
    content_type: str
    #: Whether this version understands the type.
    supported: bool
    #: Whom it is about.
    patient: Patient | None = field(repr=False)
    #: When it was written, by the sender's clock.
    created_at: datetime
    #: When it came here, by this device's clock.
    arrived_at: datetime
    #: When a person opened it here, if it came in.
    read_at: datetime | None
    #: When what it tells of happened, such as a laboratory result, if its author said so.
    occurred_at: datetime | None
    #: What is expected of its recipients; ``None`` when nobody is asked to answer.
    asked: Asked | None
    #: The reference of the message that this one is a reply to, as its author says; it need not be on
    #: this device.
    in_reply_to: str | None
    #: When its author has taken it back; its text is gone then.
    recalled: Recalled | None
    #: When its author has corrected it: the text is what it says now, and :meth:`Client.history` has what it
    #: said before.
    amended: Amended | None
    #: When it will be sent, if it was written here to be sent later and has not been, as far as this device knows.
    scheduled_for: datetime | None
    #: It is over or was taken back, and a legal hold keeps it from being erased: nobody is shown it.
    held: bool
    #: For whom this person stands in, when they were given it because that person is away.
    on_behalf_of: str | None = field(repr=False)
    #: To whom it was given besides, because somebody it is for is away: by that person's own word.
    stand_ins: tuple[StandIn, ...]
    #: When it is over at the latest; ``None``: it stays, or nobody has opened it yet.
    expires_at: datetime | None
    #: So long after somebody has opened it, it is over. ``None`` once that has begun.
    expires_after_read: timedelta | None
    #: When it was over; its text is not shown any more then.
    expired_at: datetime | None
    #: What its typed fields say, when it has any that this version knows, or a vendor's. A corrected message
    #: has the text alone.
    structured: Structured | None = field(repr=False)
    #: Texts that a recipient may answer with as they are, by their places: :meth:`Client.reply_with`. They are those
    #: of the message as it was first written.
    offers: tuple[str, ...] = field(repr=False)
    #: Of a reply with one of the texts that the message it replies to offers: its place among them, from 0. The
    #: reply says exactly that text.
    chosen: int | None
    #: When it is in a conversation with a role: which, and as what its sender speaks for it.
    role: InRole | None
    #: When it hands another message on: that one, and whether its author is proven. ``text`` is then the comment
    #: and what the other message says.
    forwarded: Forwarded | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some messages of a conversation, oldest first."""

    messages: tuple[Message, ...]
    #: Ask for the page before with this; ``None`` at the beginning.
    before: int | None


@dataclass(frozen=True, slots=True)
class DeviceDelivery:
    """How a message of ours stands with one device."""

    #: The device; ``None`` when the person has none that could receive.
    device: str | None
    state: DeliveryState
    #: Why it will not arrive, when it will not.
    cause: FailureCause | None
    #: When the relay took it.
    sent_at: datetime | None
    #: When the device had it on disk, by its own signed word.
    delivered_at: datetime | None
    #: When a person opened it there, by the device's signed word.
    read_at: datetime | None
    #: What has become of it there, when it was taken back.
    recall: RecallOutcome | None


@dataclass(frozen=True, slots=True)
class PersonDelivery:
    """How a message of ours stands with one person."""

    user: str
    #: The furthest any device of the person has come.
    state: DeliveryState
    #: Their last word, if they have answered.
    answer: StandingAnswer | None
    devices: tuple[DeviceDelivery, ...]


@dataclass(frozen=True, slots=True)
class TimelineChange:
    """What changed in a view since the last look, in the order to apply it."""

    #: References of messages that are gone from the view.
    removed: tuple[str, ...]
    #: Messages that are shown already and changed.
    updated: tuple[Message, ...]
    #: Messages that are new at the end.
    added: tuple[Message, ...]
    #: The unread count now.
    unread: int


@dataclass(frozen=True, slots=True)
class OpenItemsChange:
    """What changed in a view of open messages since the last look; the view has them in their order."""

    #: References of messages that are not open any more, or have made room for more urgent ones.
    removed: tuple[str, ...]
    #: Messages that are shown already and changed.
    updated: tuple[Message, ...]
    #: Messages that are new in the view.
    added: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class OwnDevice:
    """One of this person's devices, as the directory lists it."""

    device: str
    #: What it calls itself.
    label: str = field(repr=False)
    enrolled_at: datetime
    revoked_at: datetime | None
    #: Whether it is the person's first one, or a chain of vouches leads to it from there.
    vouched: bool


@dataclass(frozen=True, slots=True)
class Round:
    """What one round with the relay did."""

    #: Submissions the relay took.
    posted: int
    #: Envelopes dealt with.
    received: int
    #: Messages that still wait for a recipient's keys or for the directory.
    waiting: int


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A signed call to the relay, for a host that carries calls itself."""

    #: Names the call when its answer comes, in this process or in a later one.
    id: str
    #: What to post.
    request: RelayRequest


# From the native library and to it.

_PRIORITY = {member: Priority[member.name] for member in native.Priority}
_DIRECTION = {member: Direction[member.name] for member in native.Direction}
_PROOF = {member: Proof[member.name] for member in native.Proof}
_STATE = {member: DeliveryState[member.name] for member in native.DeliveryState}
_CAUSE = {member: FailureCause[member.name] for member in native.FailureCause}
_VERDICT = {member: Verdict[member.name] for member in native.Verdict}
_OUTCOME = {member: RecallOutcome[member.name] for member in native.RecallOutcome}


def priority(value: Any) -> Priority:
    return _PRIORITY[value]


def direction(value: Any) -> Direction:
    return _DIRECTION[value]


def native_priority(value: Priority) -> Any:
    return native.Priority[value.name]


def native_recipient(recipient: Recipient) -> Any:
    if isinstance(recipient, Person):
        return native.Recipient.PERSON(user=recipient.user)
    if isinstance(recipient, Role):
        return native.Recipient.ROLE(role=recipient.role)
    if isinstance(recipient, Caller):
        return native.Recipient.CALLER(role=recipient.role, person=recipient.person)
    return native.Recipient.TEAM(team=recipient.team)


def native_patient(patient: Patient) -> Any:
    identifiers = [native_identifier(one) for one in patient.identifiers]
    return native.Patient(
        identifiers=identifiers, name=patient.name, encounter=patient.encounter
    )


def native_identifier(identifier: PatientIdentifier) -> Any:
    return native.PatientIdentifier(system=identifier.system, value=identifier.value)


def patient(record: Any) -> Patient:
    identifiers = (PatientIdentifier(one.system, one.value) for one in record.identifiers)
    return Patient(tuple(identifiers), record.name, record.encounter)


def message(record: Any) -> Message:
    return Message(
        id=record.id,
        reference=record.reference,
        conversation=record.conversation,
        cursor=record.cursor,
        sender=record.sender,
        sender_device=record.sender_device,
        direction=_DIRECTION[record.direction],
        proof=_PROOF[record.proof],
        priority=_PRIORITY[record.priority],
        text=record.text,
        content_type=record.content_type,
        supported=record.supported,
        patient=None if record.patient is None else patient(record.patient),
        created_at=time(record.created_at_ms),
        arrived_at=time(record.arrived_at_ms),
        read_at=maybe_time(record.read_at_ms),
        occurred_at=maybe_time(record.occurred_at_ms),
        asked=None if record.asked is None else _asked(record.asked),
        in_reply_to=record.in_reply_to,
        recalled=None if record.recalled is None else _recalled(record.recalled),
        amended=None if record.amended is None else _amended(record.amended),
        scheduled_for=maybe_time(record.scheduled_for_ms),
        held=record.held,
        on_behalf_of=record.on_behalf_of,
        stand_ins=tuple(stand_in(one) for one in record.stand_ins),
        expires_at=maybe_time(record.expires_at_ms),
        expires_after_read=maybe_duration(record.expires_after_read_ms),
        expired_at=maybe_time(record.expired_at_ms),
        structured=None if record.structured is None else structured(record.structured),
        offers=tuple(record.offers),
        chosen=record.chosen,
        role=None if record.role is None else in_role(record.role),
        forwarded=None if record.forwarded is None else forwarded(record.forwarded, patient),
    )


def _asked(record: Any) -> Asked:
    return Asked(maybe_time(record.answer_by_ms), record.open)


def _recalled(record: Any) -> Recalled:
    return Recalled(record.by, time(record.at_ms), record.reason)


def _amended(record: Any) -> Amended:
    return Amended(record.by, time(record.at_ms), record.reason, record.versions)


def version(record: Any) -> Version:
    return Version(
        reference=record.reference,
        by=record.by,
        at=time(record.at_ms),
        text=record.text,
        structured=None if record.structured is None else structured(record.structured),
        reason=record.reason,
        stands=record.stands,
    )


def verdict(value: Any) -> Verdict:
    return _VERDICT[value]


def answer(record: Any) -> Answer:
    return Answer(
        user=record.user,
        device=record.device,
        verdict=_VERDICT[record.verdict],
        read_back=record.read_back,
        at=time(record.at_ms),
        stands=record.stands,
        version=record.version,
        outdated=record.outdated,
    )


def choice(record: Any) -> Choice:
    return Choice(
        user=record.user,
        index=record.index,
        at=time(record.at_ms),
        reply=record.reply,
        stands=record.stands,
        outdated=record.outdated,
    )


def messages(records: Any) -> tuple[Message, ...]:
    return tuple(message(record) for record in records)


def recipient(record: Any) -> Recipient:
    if isinstance(record, native.Recipient.PERSON):
        return Person(record.user)
    if isinstance(record, native.Recipient.ROLE):
        return Role(record.role)
    if isinstance(record, native.Recipient.CALLER):
        return Caller(record.role, record.person)
    return Team(record.team)


def delivery(record: Any) -> PersonDelivery:
    return PersonDelivery(
        user=record.user,
        state=_STATE[record.state],
        answer=None if record.answer is None else _standing(record.answer),
        devices=tuple(
            DeviceDelivery(
                device=device.device,
                state=_STATE[device.state],
                cause=None if device.cause is None else _CAUSE[device.cause],
                sent_at=maybe_time(device.sent_at_ms),
                delivered_at=maybe_time(device.delivered_at_ms),
                read_at=maybe_time(device.read_at_ms),
                recall=None if device.recall is None else _OUTCOME[device.recall],
            )
            for device in record.devices
        ),
    )


def _standing(record: Any) -> StandingAnswer:
    return StandingAnswer(_VERDICT[record.verdict], time(record.at_ms))


def change(record: Any) -> TimelineChange:
    return TimelineChange(
        removed=tuple(record.removed),
        updated=messages(record.updated),
        added=messages(record.added),
        unread=record.unread,
    )


def open_change(record: Any) -> OpenItemsChange:
    return OpenItemsChange(
        removed=tuple(record.removed),
        updated=messages(record.updated),
        added=messages(record.added),
    )
