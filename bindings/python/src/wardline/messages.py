"""Writing, reading and following: what a person does with messages on a device.

Everything else of a device stands in :mod:`wardline.client`, which has all of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from . import conversations, escalation, finding, lifetimes, model
from ._bridge import do, native, run
from ._times import maybe_native_time, native_millis
from .answers import Answer, Choice, OpenItems, Verdict, Version
from .conversations import ConversationPage
from .escalation import EscalationStatus, EscalationTier
from .finding import Caution, Filter, LoopGrouping, LoopTimes, PersonDevice
from .lifetimes import Lifetime, native_lifetime
from .model import (
    Message,
    Page,
    Patient,
    PersonDelivery,
    Priority,
    Recipient,
)
from .roles import HandedOver, RoleStatus, role_status
from .structured import Sbar, Structured, native_structured
from .views import ConversationListView, OpenItemsView, TimelineView


class Messages:
    """The messages of a :class:`~wardline.Client`."""

    _native: Any

    async def send(
        self,
        recipient: Recipient,
        text: str = "",
        *,
        structured: Structured | None = None,
        priority: Priority = Priority.ROUTINE,
        patient: Patient | None = None,
        occurred_at: datetime | None = None,
        answer_within: timedelta | None = None,
        reply_to: Message | str | None = None,
        offers: Sequence[str] = (),
        escalate: Sequence[EscalationTier] = (),
        send_at: datetime | None = None,
        lifetime: Lifetime | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Takes a message and returns its id: it is on disk then and will be sent, whatever happens to
        the process or the network. Sending twice with one ``idempotency_key`` sends once.

        ``structured`` are typed fields; the text is then what devices show that do not know their type, and is
        made of the fields when it is empty. ``occurred_at`` is when what it tells of happened, a laboratory result, say. ``answer_within`` asks
        for an :meth:`answer` by then; a stat message asks for one by itself, without a time. ``reply_to``
        is a message of the same conversation, or its reference. ``offers`` are short texts that a recipient may
        answer with as they are, at most 8. ``escalate`` says who is given it when nobody
        has accepted it in time, tier after tier: the relay holds what they are given, sealed, from when it has the
        message, and needs no phone for that. ``send_at`` sends it then instead of at once: the relay
        holds it, sealed, this device may be off, and taking it back before cancels it. ``lifetime`` is for how long it may be read, on every device; it is
        said before :meth:`set_lifetime` and the policy, whose limit holds."""
        draft = _draft(
            recipient,
            text,
            priority,
            patient,
            occurred_at_ms=maybe_native_time(occurred_at),
            answer_within_ms=native_millis(answer_within),
            reply_to=None if reply_to is None else _name(reply_to),
            offers=list(offers),
            send_at_ms=maybe_native_time(send_at),
            escalate=[escalation.native_tier(tier) for tier in escalate],
            lifetime=None if lifetime is None else native_lifetime(lifetime),
            idempotency_key=idempotency_key,
            structured=None if structured is None else native_structured(structured),
        )
        return str(await run(lambda: self._native.send(draft)))

    async def check(
        self,
        recipient: Recipient,
        *,
        priority: Priority = Priority.ROUTINE,
        patient: Patient | None = None,
    ) -> tuple[Caution, ...]:
        """What a person should think of before a message so urgent, about this patient, leaves; nothing is
        sent, and nothing refused. No caution is no proof that all is well: it knows what this device knows."""
        draft = _draft(recipient, "", priority, patient)
        found = await run(lambda: self._native.check(draft))
        return tuple(finding.caution(one) for one in found)

    async def devices_without(
        self, recipient: Recipient, type_uri: str
    ) -> tuple[PersonDevice, ...] | None:
        """The recipients' devices whose software does not know a type of content, such as
        ``wardline.order/1``: they show the text alone. Vendors' types are known to apps, not to Wardline: every
        device is without them. ``None`` when the directory has to be asked first: the next round does so."""
        native_recipient = model.native_recipient(recipient)
        found = await run(lambda: self._native.devices_without(native_recipient, type_uri))
        if found is None:
            return None
        return tuple(PersonDevice(one.user, one.device) for one in found)

    async def role(self, role: str) -> RoleStatus:
        """Who is reached through a role now, to be shown before something is sent to it
        (:class:`~wardline.Role`): that nobody holds it is an answer. Asks the relay when the directory is not fresh;
        without a network it is what was known, and ``current`` says so."""
        return role_status(await run(lambda: self._native.role(role)))

    async def hand_over(self, role: str, note: Sbar) -> HandedOver:
        """Hands a role over, when this person leaves: a note, and every message to the role that is unread or that
        nobody has accepted, go to whoever holds the role now and whoever holds it next (within a day). They get the
        messages as their authors signed them, and answer them in this person's place. The custodian may do it in
        anybody's place. Durable when it returns."""
        text = native_structured(note)
        handed = await run(lambda: self._native.hand_over(role, text))
        return HandedOver(handed.note, handed.items)

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

    async def reply_with(self, message: Message | str, index: int) -> str:
        """Answers a message with the text that it offers at a place, from 0: a reply in the same conversation that
        says exactly that. It is no verdict: a message that asks for an answer stays open until somebody accepts it
        with :meth:`answer`. Choosing is reading. Durable when it returns; returns the id of the reply."""
        return str(await run(lambda: self._native.reply_with(_name(message), index)))

    async def choices(self, message: Message | str) -> tuple[Choice, ...]:
        """Everybody's replies with the texts that a message offers, oldest first; the last one of a person stands.
        Takes the message, its reference, or what :meth:`send` returned on this device."""
        found = await run(lambda: self._native.choices(_name(message)))
        return tuple(model.choice(record) for record in found)

    async def escalation(self, message: Message | str) -> EscalationStatus | None:
        """How the escalation of a message stands, with its history; ``None`` for a message that has none. Takes the
        message, its reference, or what :meth:`send` returned on this device."""
        found = await run(lambda: self._native.escalation(_name(message)))
        return None if found is None else escalation.status(found)

    async def forward(
        self,
        message: Message | str,
        recipient: Recipient,
        comment: str = "",
        *,
        priority: Priority = Priority.ROUTINE,
        answer_within: timedelta | None = None,
    ) -> str:
        """Forwards a message as its author signed it: whoever gets it sees who wrote it and when, and need not
        believe this person. The patient goes with the message. When that is taken back, this device takes its
        forwards back too. Durable when it returns; returns the id of the forward."""
        draft = _draft(
            recipient, comment, priority, None, answer_within_ms=native_millis(answer_within)
        )
        return str(await run(lambda: self._native.forward(_name(message), draft)))

    async def open_items(self, which: OpenItems, *, limit: int = 50) -> tuple[Message, ...]:
        """Messages that ask for an answer which nobody has given yet, the most urgent first, then by
        their deadlines."""
        wanted = native.OpenItems[which.name]
        return model.messages(await run(lambda: self._native.open_items(wanted, limit)))

    async def follow_open_items(self, which: OpenItems, *, size: int = 50) -> OpenItemsView:
        """Follows the first ``size`` of :meth:`open_items`: a list of open stat messages, say. Those that are
        overdue come when the event :class:`~wardline.AnswerOverdue` does."""
        wanted = native.OpenItems[which.name]
        return OpenItemsView(await run(lambda: self._native.follow_open_items(wanted, size)))

    async def amend(self, message: Message | str, text: str, reason: str = "") -> str:
        """Corrects the text of a message of this person, with a reason. Everybody the message went to sees the
        new text in its place, and in :meth:`history` what it said before: a clinical correction, never a silent
        edit. Durable when it returns; returns the id of the correction, which :meth:`deliveries` knows. Takes
        the message, its reference, or what :meth:`send` returned on this device.

        Who has accepted the message before has accepted another text: :attr:`Answer.outdated` says so. Nothing
        is asked again by itself."""
        return str(await run(lambda: self._native.amend(_name(message), text, reason)))

    async def amend_structured(
        self, message: Message | str, fields: Structured, text: str = "", reason: str = ""
    ) -> str:
        """:meth:`amend` of a structured message, with the fields that are right: all of them, of the type that the
        message has. ``text`` is for devices that do not know the type; when it is empty, it is made of the fields."""
        right = native_structured(fields)
        return str(
            await run(
                lambda: self._native.amend_structured(_name(message), right, text, reason)
            )
        )

    async def history(self, message: Message | str) -> tuple[Version, ...]:
        """Every text that a message has had, oldest first; the last one is what it says now. Takes the
        message, its reference, or what :meth:`send` returned on this device."""
        found = await run(lambda: self._native.history(_name(message)))
        return tuple(model.version(record) for record in found)

    async def export_proof(self, message: Message | str) -> bytes:
        """A message and its corrections with everything that proves who wrote them, as a file for an outsider:
        whoever has a root document of the organization verifies it offline, with ``wardline verify`` or
        :func:`wardline.proof.verify`. It holds the text and the patient in the clear: whoever gets it reads
        them. Takes the message, or its reference; asks the relay.

        A device that was revoked proves nothing more: export what must be proven later while its author's
        device is in use."""
        return bytes(await run(lambda: self._native.export_proof(_name(message))))

    async def recall(self, message: Message | str, reason: str = "") -> None:
        """Takes a message of this person back, with a reason that everybody in the conversation can read:
        its text is gone from here at once, from devices that are online in a moment, from others before
        they show it. What has become of it on each device is in :meth:`deliveries`. Takes the message,
        its reference, or what :meth:`send` returned on this device.

        A device that was shown it may have been read, photographed or backed up; what a recall means is
        each device's own word."""
        await run(lambda: self._native.recall(_name(message), reason))

    async def set_lifetime(self, recipient: Recipient, lifetime: Lifetime) -> None:
        """Sets for how long what this device sends to a recipient may be read, unless a message says otherwise; an
        empty lifetime takes it back. Others set their own: each message carries its author's."""
        native_recipient, wanted = model.native_recipient(recipient), native_lifetime(lifetime)
        await run(lambda: self._native.set_lifetime(native_recipient, wanted))

    async def lifetime(self, conversation: str) -> Lifetime:
        """For how long what is sent to a conversation may be read, when a message says nothing: what was set, or
        what the policy wants. To be shown before somebody writes."""
        return lifetimes.lifetime(await run(lambda: self._native.lifetime(conversation)))

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
        return conversations.page(
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

    async def find(
        self, wanted: Filter, *, before: int | None = None, limit: int = 50
    ) -> tuple[Message, ...]:
        """Messages that a filter describes, newest first. The page after is found with the ``cursor`` of the last
        one."""
        native_filter = finding.native_filter(wanted)
        found = await run(lambda: self._native.find(native_filter, before, limit))
        return model.messages(found)

    async def loop_times(
        self,
        grouping: LoopGrouping,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[LoopTimes, ...]:
        """How long messages written on this device took to be delivered, read and acknowledged, and how many
        were not: over those written from ``since`` on and before ``until``, for each group that has any. Works
        while locked."""
        wanted = native.LoopGrouping[grouping.name]
        first, last = maybe_native_time(since), maybe_native_time(until)
        found = await run(lambda: self._native.loop_times(wanted, first, last))
        return tuple(finding.loop_times(record) for record in found)

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


def _draft(
    recipient: Recipient, text: str, priority: Priority, patient: Patient | None, **more: Any
) -> Any:
    return native.Draft(
        recipient=model.native_recipient(recipient),
        text=text,
        priority=model.native_priority(priority),
        patient=None if patient is None else model.native_patient(patient),
        **more,
    )


def _name(message: Message | str) -> str:
    return message.reference if isinstance(message, Message) else message
