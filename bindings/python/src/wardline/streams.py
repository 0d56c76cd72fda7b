"""The stream of events of a client: one after the other, in batches.

What an event is stands in :mod:`wardline.events`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from .errors import ClosedError
from .events import Event

if TYPE_CHECKING:
    from .client import Client


class EventStream(AsyncIterator[Event]):
    """What happens, one event after the other; see :meth:`Client.events`."""

    def __init__(self, client: Client, batch: int, confirm: bool) -> None:
        self._client = client
        self._batch = batch
        self._confirm = confirm
        self._waiting: list[Event] = []
        self._last: Event | None = None

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Event:
        try:
            if not self._waiting:
                await self._fetch()
        except ClosedError:
            raise StopAsyncIteration from None
        self._last = self._waiting.pop()
        return self._last

    async def _fetch(self) -> None:
        # Whoever asks for the next one has dealt with the last one.
        if self._last is not None and self._confirm:
            await self._client.confirm(self._last)
        cursor = 0 if self._last is None else self._last.cursor
        batch: Sequence[Event] = await self._client.next_events(cursor, limit=self._batch)
        self._waiting = list(reversed(batch))
