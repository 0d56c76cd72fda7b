"""One device of one person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, TypeVar

from . import events, model
from ._bridge import do, native, run
from .answers import Answer, OpenItems, Verdict
from .config import Config, native_config
from .errors import ClosedError
from .events import Event
from .host import RelayRequest, RelayResponse, native_key_store, native_transport
from .model import (
    ConversationPage,
    Message,
    OwnDevice,
    Page,
    Patient,
    PendingRequest,
    PersonDelivery,
    Priority,
    Recipient,
    Round,
)
from .secrets import Passphrase
from .views import ConversationListView, TimelineView

T = TypeVar("T")


class Client:
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
                model.time(one.enrolled_at_ms),
                model.maybe_time(one.revoked_at_ms),
                one.vouched,
            )
            for one in found
        )

    async def vouch(self, device: str) -> bytes:
        """Says that another device of this person is theirs: call it once the person has compared both.
        Hand the statement to the organization's backend, for
        :meth:`wardline.authority.Authority.admit_vouch`; it is no secret."""
        return bytes(await run(lambda: self._native.vouch(device)))

    # Writing and reading.

    async def send(
        self,
        recipient: Recipient,
        text: str,
        *,
        priority: Priority = Priority.ROUTINE,
        patient: Patient | None = None,
        occurred_at: datetime | None = None,
        answer_within: timedelta | None = None,
        reply_to: Message | str | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Takes a message and returns its id: it is on disk then and will be sent, whatever happens to
        the process or the network. Sending twice with one ``idempotency_key`` sends once.

        ``occurred_at`` is when what it tells of happened, a laboratory result, say. ``answer_within`` asks
        for an :meth:`answer` by then; a stat message asks for one by itself, without a time. ``reply_to``
        is a message of the same conversation, or its reference."""
        draft = native.Draft(
            recipient=model.native_recipient(recipient),
            text=text,
            priority=model.native_priority(priority),
            patient=None if patient is None else model.native_patient(patient),
            occurred_at_ms=None if occurred_at is None else model.native_time(occurred_at),
            answer_within_ms=model.native_millis(answer_within),
            reply_to=None if reply_to is None else _name(reply_to),
            idempotency_key=idempotency_key,
        )
        return str(await run(lambda: self._native.send(draft)))

    def conversation(self, recipient: Recipient) -> str:
        """The conversation that this person shares with a recipient."""
        native_recipient = model.native_recipient(recipient)
        return str(do(lambda: self._native.conversation(native_recipient)))

    async def timeline(
        self, conversation: str, *, before: int | None = None, size: int = 50
    ) -> Page:
        """A page of a conversation, ending before ``before`` or with the newest message."""
        page = await run(lambda: self._native.timeline(conversation, before, size))
        return Page(model.messages(page.messages), page.before)

    async def deliveries(self, message: str) -> tuple[PersonDelivery, ...]:
        """How a message of this device stands with everybody it went to; ``message`` is what
        :meth:`send` returned."""
        deliveries = await run(lambda: self._native.deliveries(message))
        return tuple(model.delivery(record) for record in deliveries)

    async def messages(self, *references: str) -> tuple[Message, ...]:
        """Messages by reference, in the order asked: what an event has announced, say. Those that are
        not on this device are left out."""
        return model.messages(await run(lambda: self._native.messages(list(references))))

    async def mark_read(self, *messages: Message | str) -> None:
        """Notes that a person has opened messages, here; their authors get a signed receipt. A preview
        on a lock screen is not an opening. Takes messages, or their references."""
        references = [_name(one) for one in messages]
        await run(lambda: self._native.mark_read(references))

    async def answer(self, message: Message | str, verdict: Verdict, read_back: str = "") -> str:
        """Accepts or declines a message that asks for it, with what was understood or why not; takes the
        message, or its reference. Everybody in the conversation learns of it; answering is reading. A
        person may change their mind: the last answer stands. Durable when it returns; returns the id of
        the answer, which :meth:`deliveries` knows."""
        reference, said = _name(message), native.Verdict[verdict.name]
        return str(await run(lambda: self._native.answer(reference, said, read_back)))

    async def answers(self, message: Message | str) -> tuple[Answer, ...]:
        """Every answer to a message that counts, oldest first; the last one of a person stands. Takes the
        message, its reference, or what :meth:`send` returned on this device."""
        found = await run(lambda: self._native.answers(_name(message)))
        return tuple(model.answer(record) for record in found)

    async def open_items(self, which: OpenItems, *, limit: int = 50) -> tuple[Message, ...]:
        """Messages that ask for an answer which nobody has given yet, the most urgent first, then by
        their deadlines."""
        wanted = native.OpenItems[which.name]
        return model.messages(await run(lambda: self._native.open_items(wanted, limit)))

    async def recall(self, message: Message | str, reason: str = "") -> None:
        """Takes a message of this person back, with a reason that everybody in the conversation can read:
        its text is gone from here at once, from devices that are online in a moment, from others before
        they show it. What has become of it on each device is in :meth:`deliveries`. Takes the message,
        its reference, or what :meth:`send` returned on this device.

        A device that was shown it may have been read, photographed or backed up; what a recall means is
        each device's own word."""
        await run(lambda: self._native.recall(_name(message), reason))

    async def unread(self, conversation: str) -> int:
        """How many messages of a conversation nobody has opened yet."""
        return int(await run(lambda: self._native.unread(conversation)))

    async def unread_total(self) -> int:
        """How many messages nobody has opened yet, in all conversations: what a badge shows."""
        return int(await run(lambda: self._native.unread_total()))

    async def conversations(
        self, *, before: int | None = None, size: int = 50
    ) -> ConversationPage:
        """A page of the list of conversations: those whose newest message is older than ``before``, or
        the first ones, the newest first. Works while locked; only the previews are missing then.

        A conversation in which somebody has only begun to write is not on the list. One that gets a
        message between two pages moves to the front: ask for the first page again to see it."""
        return model.conversation_page(
            await run(lambda: self._native.conversations(before, size))
        )

    async def follow_conversations(self, *, size: int = 50) -> ConversationListView:
        """Follows the ``size`` conversations with the newest messages: a first screen. Works while
        locked; previews come with the unlock and go with the lock."""
        return ConversationListView(await run(lambda: self._native.follow_conversations(size)))

    async def search(
        self,
        text: str,
        *,
        conversation: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> tuple[Message, ...]:
        """Looks for messages: all words must occur, the last one may be unfinished. Newest first."""
        found = await run(lambda: self._native.search(text, conversation, before, limit))
        return model.messages(found)

    async def save_draft(self, recipient: Recipient, text: str) -> None:
        """Keeps what somebody has begun to write; an empty text removes it."""
        native_recipient = model.native_recipient(recipient)
        await run(lambda: self._native.save_draft(native_recipient, text))

    async def draft(self, conversation: str) -> str | None:
        """What somebody has begun to write."""
        found: str | None = await run(lambda: self._native.draft(conversation))
        return found

    async def follow(self, conversation: str, *, size: int = 50) -> TimelineView:
        """Follows the newest ``size`` messages of a conversation."""
        return TimelineView(await run(lambda: self._native.follow(conversation, size)))

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


def _name(message: Message | str) -> str:
    return message.reference if isinstance(message, Message) else message
