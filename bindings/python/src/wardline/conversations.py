"""The list of conversations, an app's first screen: as values.

What is in a conversation stands in :mod:`wardline.model`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from . import model
from ._times import time
from .model import Direction, Priority, Recipient


@dataclass(frozen=True, slots=True)
class NewestMessage:
    """The newest message of a conversation, as a list shows it."""

    #: Its id.
    id: str
    #: Its place in this device's timelines, and the conversation's place in the list.
    cursor: int
    #: Who wrote it, as the directory proves.
    sender: str
    direction: Direction
    priority: Priority
    #: When it was written, by the sender's clock.
    created_at: datetime
    #: When it came here, by this device's clock.
    arrived_at: datetime
    #: How its text begins, up to 200 characters; ``None`` while locked, or when the stored text is
    #: damaged. Showing it is not an opening.
    preview: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as a list of conversations shows it."""

    #: Its id.
    id: str
    #: Whom it is with.
    recipient: Recipient
    #: How many of its messages nobody has opened.
    unread: int
    #: How urgent the most urgent of those is; ``None`` when all were opened.
    unread_priority: Priority | None
    #: Its newest message.
    newest: NewestMessage
    #: Whether somebody has begun to write here.
    has_draft: bool


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """Some conversations, the one with the newest message first."""

    conversations: tuple[Conversation, ...]
    #: Ask for the page after this one with it; ``None`` at the end.
    before: int | None
    #: How many messages nobody has opened, in all conversations.
    unread: int


@dataclass(frozen=True, slots=True)
class ConversationListChange:
    """What changed in a list since the last look. Remove, replace, add, then sort by the newest
    message's cursor, the greatest first."""

    #: Ids of conversations that are gone from the view.
    removed: tuple[str, ...]
    #: Conversations that are shown already and changed; one with a newer message has moved.
    updated: tuple[Conversation, ...]
    #: Conversations that are new in the view.
    added: tuple[Conversation, ...]
    #: How many messages nobody has opened now, in all conversations.
    unread: int


# From the native library.


def _conversation(record: Any) -> Conversation:
    newest = record.newest
    urgency = record.unread_priority
    return Conversation(
        id=record.id,
        recipient=model.recipient(record.recipient),
        unread=record.unread,
        unread_priority=None if urgency is None else model.priority(urgency),
        newest=NewestMessage(
            id=newest.id,
            cursor=newest.cursor,
            sender=newest.sender,
            direction=model.direction(newest.direction),
            priority=model.priority(newest.priority),
            created_at=time(newest.created_at_ms),
            arrived_at=time(newest.arrived_at_ms),
            preview=newest.preview,
        ),
        has_draft=record.has_draft,
    )


def conversations(records: Any) -> tuple[Conversation, ...]:
    return tuple(_conversation(record) for record in records)


def page(record: Any) -> ConversationPage:
    return ConversationPage(conversations(record.conversations), record.before, record.unread)


def change(record: Any) -> ConversationListChange:
    return ConversationListChange(
        removed=tuple(record.removed),
        updated=conversations(record.updated),
        added=conversations(record.added),
        unread=record.unread,
    )
