"""A device in a process that only shows notifications: it receives, and cannot read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

from . import model
from ._bridge import do, native, run
from ._times import time
from .config import Config, native_config
from .host import native_key_store, native_transport
from .model import Priority


@dataclass(frozen=True, slots=True)
class NoticeSender:
    """The author of a message, as the directory has them."""

    user: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that came and that nobody was told of yet: what a notification is made from. It never has
    a text."""

    #: The message's reference: the app finds the message by it. Not for the notification: it tells who writes
    #: how often.
    reference: str
    #: Names the notification towards the platform: random, the same whenever this notice comes again.
    tag: str
    tier: Priority
    #: When it came here, by this device's clock.
    arrived_at: datetime
    #: Its conversation, to group by; only where the policy allows the sender.
    conversation: str | None = field(repr=False)
    #: Who wrote it; only where the policy allows it and the directory proves it.
    sender: NoticeSender | None = field(repr=False)
    #: 0 when it has just come; then how often it was repeated, because nobody has accepted a stat message.
    round: int


@dataclass(frozen=True, slots=True)
class Collected:
    """What an inbox has to tell."""

    #: The messages nobody was told of yet, also those of earlier calls and processes: the most urgent first.
    notices: tuple[Notice, ...]
    #: Everything that waited is here, and every sender was told.
    complete: bool
    #: The stable code of why not, such as ``WL-NET-UNREACHABLE``; ``None`` when it was the deadline.
    failure: str | None


class Inbox:
    """A device opened with the inbox key alone, for a process that shows notifications.

    It may run beside the app's client on the same folder. There is no way to unlock it::

        async with await Inbox.open(config) as inbox:
            collected = await inbox.collect(within=timedelta(seconds=20))
            for notice in collected.notices:
                show(notice.tag, notice.tier)
            await inbox.shown(collected.notices)
    """

    def __init__(self, inside: Any) -> None:
        self._native = inside

    @classmethod
    async def open(cls, config: Config) -> Inbox:
        """Opens a device that was enrolled in this folder, with the inbox key alone."""
        record = native_config(config)
        transport = native_transport(config.transport)
        key_store = native_key_store(config.key_store)
        return cls(await run(lambda: native.Inbox.open(record, transport, key_store)))

    async def __aenter__(self) -> Inbox:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def user(self) -> str:
        """The person this device belongs to."""
        return str(do(self._native.user))

    @property
    def device(self) -> str:
        """This device."""
        return str(do(self._native.device))

    async def collect(self, *, within: timedelta) -> Collected:
        """Takes what waits at the relay, tells the senders that it is on this device, and returns what
        nobody was told of yet. Ends within this time, whatever the network does.

        A notice comes again, in whatever process, until :meth:`shown` names it, a person reads the message,
        or the app confirms its event. Raises :class:`~wardline.RelayError` when the organization has revoked
        this device; what goes wrong on the line is in the answer.
        """
        millis = max(0, within // timedelta(milliseconds=1))
        found = await run(lambda: self._native.collect(millis, None))
        return Collected(tuple(map(_notice, found.notices)), found.complete, found.failure)

    async def shown(self, notices: Iterable[Notice | str]) -> None:
        """Notes that notifications of these messages, or of these references, were shown: they do not come
        again. The messages stay unread, and nobody is told."""
        names = [one.reference if isinstance(one, Notice) else one for one in notices]
        await run(lambda: self._native.shown(names))

    async def suspend(self) -> None:
        """Finishes what is being written and lets go of every file."""
        await run(lambda: self._native.suspend())

    async def resume(self) -> None:
        """Takes up the files again after :meth:`suspend`."""
        await run(lambda: self._native.resume())

    async def close(self) -> None:
        """Finishes what is being written, closes the store and lets go of transport and key store. Closing
        twice is closing once."""
        # Not given up half-way when the task is cancelled: what is being written must arrive.
        await asyncio.shield(run(lambda: self._native.shutdown()))

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return bool(do(self._native.is_shut_down))

    def __repr__(self) -> str:
        return f"<wardline.Inbox{' closed' if self.is_closed else ''}>"


def _notice(record: Any) -> Notice:
    sender = record.sender
    return Notice(
        record.reference,
        record.tag,
        model.priority(record.tier),
        time(record.arrived_at_ms),
        record.conversation,
        None if sender is None else NoticeSender(sender.user, sender.display_name),
        record.round,
    )
