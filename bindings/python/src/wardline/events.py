"""What the app is told, at least once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import model
from ._bridge import native
from ._times import time
from .answers import Verdict
from .model import Priority


@dataclass(frozen=True, slots=True)
class Event:
    """Something the app should know."""

    #: Its place in the stream: confirm up to here when it has been dealt with.
    cursor: int
    #: When it happened, by this device's clock.
    at: datetime


@dataclass(frozen=True, slots=True)
class MessageArrived(Event):
    """A message is on this device's disk."""

    #: The message's reference: :meth:`Client.messages` and :meth:`Client.mark_read` take it.
    reference: str
    conversation: str
    #: How loudly to tell.
    tier: Priority


@dataclass(frozen=True, slots=True)
class MessageSent(Event):
    """The relay has a message of ours for every device it could be sealed for so far."""

    #: What :meth:`Client.send` returned.
    message: str
    conversation: str


@dataclass(frozen=True, slots=True)
class DeliveryChanged(Event):
    """A person's device signed for a message of ours, or the relay refused it for one."""

    #: What :meth:`Client.send` returned.
    message: str
    user: str


@dataclass(frozen=True, slots=True)
class MessageAnswered(Event):
    """Somebody has accepted or declined a message, or this person has on another device."""

    #: The message's reference.
    reference: str
    conversation: str
    #: Who answered.
    user: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class MessageRecalled(Event):
    """A message was taken back by its author; its text is gone from this device."""

    #: The message's reference.
    reference: str
    conversation: str


@dataclass(frozen=True, slots=True)
class MessageAmended(Event):
    """The text of a message was corrected by its author; what it said before is in its history."""

    #: The message's reference.
    reference: str
    conversation: str


@dataclass(frozen=True, slots=True)
class MessageReminder(Event):
    """A stat message still waits: nobody has accepted it, and this person has not answered. Comes again and again,
    as often as the policy says; an unconfirmed one goes when the next one comes."""

    #: The message's reference.
    reference: str
    conversation: str
    #: How loudly to tell.
    tier: Priority
    #: 1 for the first time.
    round: int


@dataclass(frozen=True, slots=True)
class AnswerOverdue(Event):
    """A message of this person's asked for an answer within a time, and nobody has accepted it by then. Comes
    once."""

    #: The message's reference.
    reference: str
    conversation: str


@dataclass(frozen=True, slots=True)
class ReadElsewhere(Event):
    """A message was read on another device of the same person."""

    #: The message's reference.
    reference: str


@dataclass(frozen=True, slots=True)
class EnvelopeRefused(Event):
    """An envelope did not open."""

    #: The stable code of the cause.
    code: str
    #: Whether its sender was asked for it again.
    healing: bool


@dataclass(frozen=True, slots=True)
class DirectoryChanged(Event):
    """There is a newer directory head."""

    version: int


@dataclass(frozen=True, slots=True)
class DirectoryRefused(Event):
    """The relay showed a directory that is not believed; what was believed before stays."""

    #: The stable code of the cause; ``WL-DIRECTORY-FORK`` is evidence of a split view.
    code: str


@dataclass(frozen=True, slots=True)
class StoreRolledBack(Event):
    """This store is older than what the relay has seen of it: a copy was restored."""


@dataclass(frozen=True, slots=True)
class DeviceRevoked(Event):
    """The organization has revoked this device."""


@dataclass(frozen=True, slots=True)
class MessageExpired(Event):
    """A message is over: nobody is shown it any more. One that was over when it came is not announced otherwise."""

    #: The message's reference.
    reference: str
    conversation: str


@dataclass(frozen=True, slots=True)
class AvailabilityChanged(Event):
    """Another device of this person has said whether they can be reached."""


@dataclass(frozen=True, slots=True)
class Escalated(Event):
    """Nobody has accepted a message in time, and the next tier of its escalation was given it: on its author's device
    as the relay says; on the devices of the tier they have it, and are told so besides :class:`MessageArrived`."""

    #: The message's reference.
    reference: str
    conversation: str
    #: Which tier, from 0.
    tier: int


@dataclass(frozen=True, slots=True)
class EscalationDue(Event):
    """The relay says that a message is due for a role whose holder it was not sealed for: this person holds the role,
    or is its custodian. What the message says is not here, unless the person was given it besides."""

    #: Who wrote it.
    sender: str
    role: str


@dataclass(frozen=True, slots=True)
class EscalationNotArmed(Event):
    """A message of this person's was to be escalated, and all of it or a tier is not armed: the relay took the message
    and holds nothing back, or nobody of the tier has a device that can be sealed for. See
    :meth:`Client.escalation`."""

    #: The message's reference.
    reference: str
    conversation: str


@dataclass(frozen=True, slots=True)
class EscalationGoesOn(Event):
    """This person's answer (or recall) is on its way, and the relay did not let it stop the escalation: others may be
    given the message all the same."""

    #: The reference of the message that was answered.
    reference: str
    #: Why, as a stable code, such as ``WL-RELAY-HELD-PROOF``.
    code: str


@dataclass(frozen=True, slots=True)
class UnknownEvent(Event):
    """Something that this version of the package has no word for. Update it."""


_KINDS: dict[Any, Callable[[int, datetime, Any], Event]] = {
    native.Event.MESSAGE_ARRIVED: lambda cursor, at, it: MessageArrived(
        cursor, at, it.reference, it.conversation, model.priority(it.tier)
    ),
    native.Event.MESSAGE_SENT: lambda cursor, at, it: MessageSent(cursor, at, it.message, it.conversation),
    native.Event.DELIVERY_CHANGED: lambda cursor, at, it: DeliveryChanged(cursor, at, it.message, it.user),
    native.Event.MESSAGE_ANSWERED: lambda cursor, at, it: MessageAnswered(
        cursor, at, it.reference, it.conversation, it.user, model.verdict(it.verdict)
    ),
    native.Event.MESSAGE_RECALLED: lambda cursor, at, it: MessageRecalled(
        cursor, at, it.reference, it.conversation
    ),
    native.Event.MESSAGE_AMENDED: lambda cursor, at, it: MessageAmended(
        cursor, at, it.reference, it.conversation
    ),
    native.Event.MESSAGE_REMINDER: lambda cursor, at, it: MessageReminder(
        cursor, at, it.reference, it.conversation, model.priority(it.tier), it.round
    ),
    native.Event.ANSWER_OVERDUE: lambda cursor, at, it: AnswerOverdue(
        cursor, at, it.reference, it.conversation
    ),
    native.Event.MESSAGE_EXPIRED: lambda cursor, at, it: MessageExpired(
        cursor, at, it.reference, it.conversation
    ),
    native.Event.READ_ELSEWHERE: lambda cursor, at, it: ReadElsewhere(cursor, at, it.reference),
    native.Event.ENVELOPE_REFUSED: lambda cursor, at, it: EnvelopeRefused(cursor, at, it.code, it.healing),
    native.Event.DIRECTORY_CHANGED: lambda cursor, at, it: DirectoryChanged(cursor, at, it.version),
    native.Event.DIRECTORY_REFUSED: lambda cursor, at, it: DirectoryRefused(cursor, at, it.code),
    native.Event.STORE_ROLLED_BACK: lambda cursor, at, it: StoreRolledBack(cursor, at),
    native.Event.AVAILABILITY_CHANGED: lambda cursor, at, it: AvailabilityChanged(cursor, at),
    native.Event.ESCALATED: lambda cursor, at, it: Escalated(
        cursor, at, it.reference, it.conversation, it.tier
    ),
    native.Event.ESCALATION_DUE: lambda cursor, at, it: EscalationDue(cursor, at, it.sender, it.role),
    native.Event.ESCALATION_NOT_ARMED: lambda cursor, at, it: EscalationNotArmed(
        cursor, at, it.reference, it.conversation
    ),
    native.Event.ESCALATION_GOES_ON: lambda cursor, at, it: EscalationGoesOn(
        cursor, at, it.reference, it.code
    ),
    native.Event.DEVICE_REVOKED: lambda cursor, at, it: DeviceRevoked(cursor, at),
}


def event(record: Any) -> Event:
    """An event of this package for one of the native library."""
    at = time(record.at_ms)
    kind = _KINDS.get(type(record.event))
    if kind is None:
        return UnknownEvent(record.cursor, at)
    return kind(record.cursor, at, record.event)
