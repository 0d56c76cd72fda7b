"""What is said to a message that asks, what one was corrected from, and what is left of one that was taken back:
as values.

How they come out of the native library stands in :mod:`wardline.model`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime

from .structured import Structured


class Verdict(enum.Enum):
    """What somebody says to a message that asks for an answer."""

    #: "I have it": the sender may stop looking for somebody.
    ACCEPTED = "accepted"
    #: "Not me": the sender should ask somebody else at once.
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a message."""

    #: Who answered, as the directory proves.
    user: str
    #: On which device.
    device: str
    verdict: Verdict
    #: What they understood, in their own words, or why they decline; may be empty.
    read_back: str = field(repr=False)
    #: When, by the answering device's clock.
    at: datetime
    #: Whether it is the last word of this person.
    stands: bool
    #: Which correction of the message they had read, as :attr:`Version.reference`; ``None``: the message as it was
    #: first written.
    version: str | None
    #: They answered another text than the one that stands here.
    outdated: bool


@dataclass(frozen=True, slots=True)
class StandingAnswer:
    """The last word of one person."""

    verdict: Verdict
    #: When, by the answering device's clock.
    at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer is wanted."""

    #: Until when, by the author's clock; ``None``: as soon as possible.
    answer_by: datetime | None
    #: Nobody's standing answer accepts it yet, as far as this device knows.
    open: bool


class OpenItems(enum.Enum):
    """Which open messages to look for."""

    #: Those of others, which wait for somebody here.
    TO_ANSWER = "to answer"
    #: Those of this person, for which an answer is awaited.
    AWAITED = "awaited"
    #: The awaited ones whose time is up.
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class Choice:
    """Somebody's reply with one of the texts that a message offers."""

    #: Who chose.
    user: str
    #: The place of the offer, from 0.
    index: int
    #: When, by the clock of their device.
    at: datetime
    #: The reply's reference.
    reply: str
    #: Whether it is the person's last one.
    stands: bool
    #: Whether they had read another text than the one that stands: the message was corrected since.
    outdated: bool


@dataclass(frozen=True, slots=True)
class Amended:
    """That the text of a message was corrected. What stands is the message's text."""

    #: Who corrected it: its author, perhaps on another device.
    by: str
    #: When, by the author's clock.
    at: datetime
    #: Why; may be empty.
    reason: str = field(repr=False)
    #: How many texts it has had, the first one and the one that stands included.
    versions: int


@dataclass(frozen=True, slots=True)
class Version:
    """One of the texts that a message has had."""

    #: What names the correction; of the first text, the message itself.
    reference: str
    #: Who wrote it.
    by: str
    #: When, by the author's clock.
    at: datetime
    #: What the message said then; empty when the stored body is damaged.
    text: str = field(repr=False)
    #: What its typed fields said then, if it had any.
    structured: Structured | None = field(repr=False)
    #: Why it was corrected; empty for the first text.
    reason: str = field(repr=False)
    #: Whether it is what the message says now.
    stands: bool


@dataclass(frozen=True, slots=True)
class Recalled:
    """That a message was taken back: all that is left of it."""

    #: Who took it back: its author, perhaps on another device.
    by: str
    #: When, by the author's clock.
    at: datetime
    #: Why; may be empty.
    reason: str = field(repr=False)


class RecallOutcome(enum.Enum):
    """What has become of a message that was taken back, on one device."""

    #: The device has said nothing: it is off, out of reach or locked.
    PENDING = "pending"
    #: The device's software is too old to know what a recall is.
    TOO_OLD = "too old"
    #: It never left, or the relay says that it gave it to nobody.
    WITHDRAWN = "withdrawn"
    #: The device keeps it, by the policy, and has signed for that.
    KEPT = "kept"
    #: It is gone from the device, where nobody had opened it; the device has signed for that.
    PURGED_UNREAD = "purged unread"
    #: It is gone from the device, after somebody had opened it there; the device has signed for that.
    PURGED_READ = "purged read"
