"""What is followed: a conversation, or the list of them, as it is now and as it changes.

How one is opened stands in :mod:`wardline.client`.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from typing import Any, Self, TypeVar

from . import conversations, model
from ._bridge import do, run
from .conversations import Conversation, ConversationListChange
from .errors import ClosedError
from .model import Message, OpenItemsChange, TimelineChange

Change = TypeVar("Change")


class _View(AsyncIterator[Change], abc.ABC):
    """What the views have in common: one that is iterated ends when the client is closed."""

    def __init__(self, inside: Any) -> None:
        self._native = inside

    @abc.abstractmethod
    async def changed(self) -> Change:
        """Waits until something has changed and says what."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change:
        try:
            return await self.changed()
        except ClosedError:
            raise StopAsyncIteration from None


class TimelineView(_View[TimelineChange]):
    """The newest messages of a conversation, kept up to date.

    Iterating yields what changed, and ends when the client is closed; it raises
    :class:`~wardline.LockedError` as soon as the client is locked. The view is empty then, and after
    the unlock the next change brings everything.
    """

    @property
    def messages(self) -> tuple[Message, ...]:
        """What it shows now, oldest first."""
        return model.messages(do(self._native.snapshot).messages)

    @property
    def unread(self) -> int:
        """How many messages of the conversation nobody has opened."""
        return int(do(self._native.snapshot).unread)

    async def changed(self) -> TimelineChange:
        """Waits until something has changed and says what."""
        return model.change(await run(lambda: self._native.changed(None)))


class ConversationListView(_View[ConversationListChange]):
    """The conversations with the newest messages, kept up to date.

    Iterating yields what changed, and ends when the client is closed. It goes on while locked, without
    previews.
    """

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        """What it shows now, the conversation with the newest message first."""
        return conversations.conversations(do(self._native.snapshot).conversations)

    @property
    def unread(self) -> int:
        """How many messages nobody has opened, in all conversations, shown here or not."""
        return int(do(self._native.snapshot).unread)

    async def changed(self) -> ConversationListChange:
        """Waits until something has changed and says what."""
        return conversations.change(await run(lambda: self._native.changed(None)))


class OpenItemsView(_View[OpenItemsChange]):
    """The most urgent open messages of a kind, kept up to date.

    Iterating yields what changed, and ends when the client is closed; it raises
    :class:`~wardline.LockedError` as soon as the client is locked. The view is empty then, and after
    the unlock the next change brings everything.
    """

    @property
    def messages(self) -> tuple[Message, ...]:
        """What it shows now, the most urgent first, then by deadlines."""
        return model.messages(do(self._native.snapshot))

    async def changed(self) -> OpenItemsChange:
        """Waits until something has changed and says what."""
        return model.open_change(await run(lambda: self._native.changed(None)))
