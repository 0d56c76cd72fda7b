"""One device of one person."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

from . import events
from ._bridge import do, native, run
from ._times import maybe_time, time
from .config import Config, native_config
from .events import Event
from .host import RelayRequest, RelayResponse, native_key_store, native_transport
from .messages import Messages
from .model import OwnDevice, PendingRequest, Round
from .reach import (
    Availability,
    Reachability,
    availability,
    native_availability,
    reachability,
)
from .secrets import Passphrase
from .streams import EventStream

T = TypeVar("T")


class Client(Messages):
    """One device of one person: its store, its keys, its line to the relay.

    Open it with :meth:`open` or :meth:`enroll`, as ``await Client.open(config)`` or
    ``async with Client.open(config) as client``. What is sent is durable when :meth:`send` returns;
    :meth:`start` or :meth:`sync_once` carry it.
    """

    def __init__(self, inside: Any) -> None:
        self._native = inside

    @classmethod
    def open(cls, config: Config) -> Opening:
        """Opens a device that was enrolled in this folder. The client is locked: it receives, and
        nobody can read."""
        return Opening(lambda: cls._open(config))

    @classmethod
    def enroll(
        cls, config: Config, user: str, *, ticket: str, passphrase: Passphrase, label: str = ""
    ) -> Opening:
        """Makes a new device of a person and asks the organization to list it. The client is unlocked.

        ``ticket`` is the one-use ticket of the organization's backend for this person. When the relay
        could not be asked, or the task was cancelled, call it again on the same folder with the same
        passphrase.
        """
        return Opening(lambda: cls._enroll(config, user, ticket, passphrase, label))

    @classmethod
    async def _open(cls, config: Config) -> Client:
        record = native_config(config)
        transport = native_transport(config.transport)
        key_store = native_key_store(config.key_store)
        return cls(await run(lambda: native.Client.open(record, transport, key_store, None)))

    @classmethod
    async def _enroll(
        cls, config: Config, user: str, ticket: str, passphrase: Passphrase, label: str
    ) -> Client:
        record = native_config(config)
        transport = native_transport(config.transport)
        key_store = native_key_store(config.key_store)
        secret = passphrase._native
        return cls(
            await run(
                lambda: native.Client.enroll(
                    record, transport, key_store, user, label or "device", ticket, secret, None
                )
            )
        )

    async def __aenter__(self) -> Client:
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

    async def own_devices(self) -> tuple[OwnDevice, ...]:
        """The devices of this person that this device knows of, revoked ones included, in the order in
        which they were admitted. An active one that is not vouched is a reason to ask the person.
        What changed since the last round is asked for by the next one."""
        found = await run(lambda: self._native.own_devices())
        return tuple(
            OwnDevice(
                one.device,
                one.label,
                time(one.enrolled_at_ms),
                maybe_time(one.revoked_at_ms),
                one.vouched,
            )
            for one in found
        )

    async def vouch(self, device: str) -> bytes:
        """Says that another device of this person is theirs: call it once the person has compared both.
        Hand the statement to the organization's backend, for
        :meth:`wardline.authority.Authority.admit_vouch`; it is no secret."""
        return bytes(await run(lambda: self._native.vouch(device)))

    # Being reached.

    async def set_availability(self, availability: Availability) -> None:
        """Says whether this person can be reached, on all of their devices; what was said before no longer holds.
        Durable when it returns; the next round tells the relay."""
        said = native_availability(availability)
        await run(lambda: self._native.set_availability(said))

    async def availability(self) -> Availability:
        """What this person says of themselves, on whichever device they said it, as far as it still holds."""
        return availability(await run(lambda: self._native.availability()))

    async def reachability(self, *people: str) -> tuple[Reachability, ...]:
        """Whether people can be reached, in the order asked. Asks the relay; without a network it is what was
        known, and ``as_of`` says when."""
        found = await run(lambda: self._native.reachability(list(people)))
        return tuple(reachability(record) for record in found)

    # What the app is told.

    def events(self, *, batch: int = 100, confirm: bool = True) -> EventStream:
        """What happens, as an asynchronous iterator that ends when the client is closed.

        Events come at least once. An event counts as dealt with when the loop asks for one after its
        batch; with ``confirm=False`` nothing does, and :meth:`confirm` says so.
        """
        return EventStream(self, batch, confirm)

    async def events_from(self, cursor: int = 0, *, limit: int = 100) -> tuple[Event, ...]:
        """The events after a cursor that are there now, oldest first."""
        found = await run(lambda: self._native.events_from(cursor, limit))
        return tuple(events.event(record) for record in found)

    async def next_events(self, cursor: int = 0, *, limit: int = 100) -> tuple[Event, ...]:
        """Waits until there are events after a cursor and returns them, oldest first."""
        found = await run(lambda: self._native.next_events(cursor, limit, None))
        return tuple(events.event(record) for record in found)

    async def confirm(self, event: Event) -> None:
        """Confirms an event and all before it: they will not come again."""
        await run(lambda: self._native.confirm_events(event.cursor))

    # The line to the relay.

    def start(self) -> None:
        """Starts the loop: messages arrive by long poll, what is sent leaves at once, failures are
        retried with growing pauses."""
        do(self._native.start)

    def stop(self) -> None:
        """Stops the loop."""
        do(self._native.stop)

    async def sync_once(self) -> Round:
        """One full round: sends what can be sent, fetches everything that waits, sends receipts."""
        done = await run(lambda: self._native.sync_once(None))
        return Round(done.posted, done.received, done.waiting)

    async def remind(self) -> datetime | None:
        """Tells of everything that is due (the events :class:`~wardline.MessageReminder` and
        :class:`~wardline.AnswerOverdue`, notices of an :class:`~wardline.Inbox`), and returns when to call again,
        if anything waits. The loop and :meth:`sync_once` do it by themselves; an app that is about to be suspended
        asks, to set the system's alarm. Works while locked and without a line."""
        return maybe_time(await run(lambda: self._native.remind()))

    async def pending_requests(self) -> tuple[PendingRequest, ...]:
        """What to ask the relay now, for a host that carries calls itself."""
        pending = await run(lambda: self._native.pending_requests())
        return tuple(
            PendingRequest(
                one.id,
                RelayRequest(
                    one.request.path,
                    tuple((header.name, header.value) for header in one.request.headers),
                    one.request.body,
                ),
            )
            for one in pending
        )

    async def complete(self, request: str, response: RelayResponse) -> None:
        """Takes in the answer to a pending request, named by its id."""
        answer = native.RelayResponse(status=response.status, body=response.body)
        await run(lambda: self._native.complete(request, answer))

    # Being woken.

    async def register_push(self, token: str, topic: str) -> None:
        """Asks the relay to have this device woken for what arrives while it is not connected. ``token``
        is what the platform's push service handed out; ``topic`` tells the relay's push gateway which
        service and app it is of, such as ``apns:example.mercy.ward``. Call it whenever the platform
        hands out a token. A wake-up is a hint: fetch with :meth:`sync_once`."""
        await run(lambda: self._native.register_push(token, topic))

    async def unregister_push(self) -> None:
        """Asks the relay to wake this device no more, when somebody signs out, say."""
        await run(lambda: self._native.unregister_push())

    # Keys.

    @property
    def is_locked(self) -> bool:
        """Whether nobody can read."""
        return bool(do(self._native.is_locked))

    @property
    def is_wiped(self) -> bool:
        """Whether the organization had this device erased: every call raises :class:`WipedError` then."""
        return bool(do(self._native.is_wiped))

    async def unlock(self, passphrase: Passphrase) -> int:
        """Opens what a person reads; returns how many wrong passphrases were tried since the last right
        one. Costs about a quarter of a second."""
        secret = passphrase._native
        return int(await run(lambda: self._native.unlock(secret)))

    async def unlock_by_presence(self) -> None:
        """:meth:`unlock` for a person whom the platform recognizes, by a finger or a face, once
        :meth:`allow_presence` was called. The platform may prompt. When it refuses, also because
        somebody enrolled another finger since, ask for the passphrase."""
        await run(lambda: self._native.unlock_by_presence())

    async def allow_presence(self, passphrase: Passphrase) -> None:
        """Lets presence open what a person reads from now on, besides the passphrase."""
        secret = passphrase._native
        await run(lambda: self._native.allow_presence(secret))

    async def forbid_presence(self) -> None:
        """Takes presence back: from now on only the passphrase opens what a person reads."""
        await run(lambda: self._native.forbid_presence())

    def lock(self) -> None:
        """Drops the reading keys and closes the search index. Receiving goes on. Views that show texts
        are told at once."""
        do(self._native.lock)

    async def change_passphrase(self, old: Passphrase, new: Passphrase) -> None:
        """Replaces the passphrase; messages stay as they are."""
        before, after = old._native, new._native
        await run(lambda: self._native.change_passphrase(before, after))

    async def rekey(self) -> None:
        """Encrypts the store anew under a new inbox key."""
        await run(lambda: self._native.rekey())

    # Its life.

    async def suspend(self) -> None:
        """Finishes what is being written and lets go of every file."""
        await run(lambda: self._native.suspend())

    async def resume(self) -> None:
        """Takes up the files again."""
        await run(lambda: self._native.resume())

    async def check_audit(self) -> int | None:
        """Checks the chain of audit records on this device; returns the first record that does not
        follow from the one before it."""
        found: int | None = await run(lambda: self._native.check_audit())
        return found

    async def close(self) -> None:
        """Stops the loop, finishes what is being written and closes. Calls under way raise
        :class:`ClosedError`. Closing twice is closing once."""
        # Not given up half-way when the task is cancelled: what is being written must arrive.
        await asyncio.shield(run(lambda: self._native.shutdown()))

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return bool(do(self._native.is_shut_down))

    def __repr__(self) -> str:
        return f"<wardline.Client{' closed' if self.is_closed else ''}>"


class Opening:
    """A client that is being opened: await it, or enter it with ``async with``."""

    def __init__(self, start: Callable[[], Awaitable[Client]]) -> None:
        self._start = start
        self._client: Client | None = None

    def __await__(self) -> Generator[Any, None, Client]:
        return self._start().__await__()

    async def __aenter__(self) -> Client:
        self._client = await self._start()
        return self._client

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.close()
