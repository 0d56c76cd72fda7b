"""Somebody's device on the ward: what a person does with it, and what can be asked about it.

How the ward is driven until something holds, and what must hold for all devices, is
:mod:`wardline.testing.ward`.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from wardline.answers import RecallOutcome, Verdict
from wardline.client import Client
from wardline.config import Config
from wardline.errors import LockedError
from wardline.host import KeyStore
from wardline.inbox import Inbox
from wardline.escalation import EscalationTier
from wardline.lifetimes import Lifetime
from wardline.model import (
    DeliveryState,
    DeviceDelivery,
    Message,
    Patient,
    Person,
    PersonDelivery,
    Priority,
    Recipient,
)
from wardline.secrets import Passphrase
from wardline.structured import Structured

from .box import open_client, open_inbox
from .condition import Condition
from .network import Network

if TYPE_CHECKING:
    from .ward import Ward

#: What everybody on a ward types, unless a scenario says otherwise.
PASSPHRASE = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that went through the ward."""

    #: What the time line calls it, such as ``#1``.
    name: str
    id: str
    reference: str
    author: Device
    recipient: Recipient
    #: The ids of the people it is for, its author excepted.
    users: frozenset[str] = field(repr=False)
    text: str = field(repr=False)
    patient: Patient | None = field(repr=False)
    at: datetime


class Participant:
    """A person on the ward, on whichever device: also on one that another process runs."""

    def __init__(self, ward: Ward, user: str, name: str) -> None:
        self._ward = ward
        #: The person's id.
        self.user = user
        #: What the time line calls them.
        self.name = name

    @property
    def recipient(self) -> Person:
        """The person as calls of :attr:`Device.client` name them."""
        return Person(self.user)

    def delivered(self, message: Sent) -> Condition:
        """The message is on the disk, and its author has the signed word for it."""
        return self._reached(message, DeliveryState.DELIVERED, "has got")

    def read(self, message: Sent) -> Condition:
        """A person has opened the message, and its author has the signed word for it."""
        return self._reached(message, DeliveryState.READ, "has read")

    def recalled(self, message: Sent) -> Condition:
        """The message was taken back and is gone, and its author has the word for it: the device's signed
        one, or the relay's that nobody had fetched it."""

        async def outcomes() -> list[RecallOutcome | None]:
            found = await self._delivery(message)
            if isinstance(found, PersonDelivery):
                return [one.recall for one in found.devices]
            return [] if found is None else [found.recall]

        async def holds() -> bool:
            found = await outcomes()
            return bool(found) and all(one in _GONE for one in found)

        async def how() -> str:
            found = await outcomes()
            words = ", ".join("not taken back" if one is None else one.value for one in found)
            return f"{message.name} is {words or 'unknown to its author'}"

        return Condition(f"{message.name} is gone from {self.name}", holds, how)

    def joined(self) -> Condition:
        """A device of this person is in the directory, and offers the keys that others seal for."""

        async def holds() -> bool:
            person = await self._ward.authority.person(self.user)
            if person is None or all(one.revoked_at is not None for one in person.devices):
                return False
            # Whoever asks for keys too early does not ask again for minutes.
            return self._ward._uploads() > self._ward._uploads_when_admitted

        return Condition(f"{self.name} has joined", holds)

    def _reached(self, message: Sent, state: DeliveryState, verb: str) -> Condition:
        async def holds() -> bool:
            delivery = await self._delivery(message)
            return delivery is not None and _RANK[delivery.state] >= _RANK[state]

        async def how() -> str:
            delivery = await self._delivery(message)
            word = "unknown to its author" if delivery is None else delivery.state.value
            cause = getattr(delivery, "cause", None)
            return f"{message.name} is {word}" + (f" ({cause.value})" if cause else "")

        return Condition(f"{self.name} {verb} {message.name}", holds, how)

    async def _delivery(self, message: Sent) -> DeviceDelivery | PersonDelivery | None:
        for delivery in await message.author.client.deliveries(message.id):
            if delivery.user == self.user:
                return self._mine(delivery)
        return None

    def _mine(self, delivery: PersonDelivery) -> DeviceDelivery | PersonDelivery | None:
        return delivery

    def __repr__(self) -> str:
        return f"<{self.name}>"


class Device(Participant):
    """One device of one person, in this process.

    Everything that a scenario has no word for is on :attr:`client`.
    """

    def __init__(
        self, ward: Ward, user: str, name: str, client: Client, config: Config, network: Network
    ) -> None:
        super().__init__(ward, user, name)
        self._client: Client | None = client
        self._id = client.device
        self.config = config
        #: Its network: ``nurse.network.be("basement Wi-Fi")``, ``.cut()``, ``.mend()``.
        self.network = network
        self._cursor = 0

    @property
    def id(self) -> str:
        """Its id in the directory."""
        return self._id

    @property
    def client(self) -> Client:
        """What runs on it: all that an app can do."""
        if self._client is None:
            raise RuntimeError(f"{self.name}'s device does not run: `await device.reopen()` first")
        return self._client

    @property
    def runs(self) -> bool:
        """Whether it was neither killed nor closed."""
        return self._client is not None and not self._client.is_closed

    # What a person does.

    async def send(
        self,
        to: Participant | Recipient,
        text: str = "",
        *,
        structured: Structured | None = None,
        priority: Priority | str = Priority.ROUTINE,
        patient: Patient | None = None,
        occurred_at: datetime | None = None,
        answer_within: timedelta | None = None,
        escalate: Sequence[EscalationTier] = (),
        send_at: datetime | None = None,
        lifetime: Lifetime | None = None,
        reply_to: Sent | Message | None = None,
        idempotency_key: str | None = None,
    ) -> Sent:
        """Writes a message. It is on this device's disk when this returns; the ward carries it."""
        recipient = Person(to.user) if isinstance(to, Participant) else to
        priority = Priority(priority)
        for word in (text, *_words(structured)):
            self._ward._will_write(word, patient)
        message = await self.client.send(
            recipient,
            text,
            structured=structured,
            priority=priority,
            patient=patient,
            occurred_at=occurred_at,
            answer_within=answer_within,
            escalate=escalate,
            send_at=send_at,
            lifetime=lifetime,
            reply_to=None if reply_to is None else reply_to.reference,
            idempotency_key=idempotency_key,
        )
        if structured is not None and not text:
            # It was made of the fields.
            [written] = await self.client.messages(f"{self.id}/{message}")
            text = written.text
        return await self._ward._wrote(self, message, recipient, text, priority, patient)

    async def opens(self, message: Sent | Message) -> Message:
        """A person opens a message on this device; its author will get the signed word for it."""
        [found] = await self.client.messages(message.reference) or [None]
        if found is None:
            raise AssertionError(f"{self.name} does not have {self._ward._name(message.reference)}")
        await self.client.mark_read(found)
        self._note(f"opens {self._ward._name(message.reference)}")
        return found

    async def answer(
        self, message: Sent | Message, *, accept: bool = True, read_back: str = ""
    ) -> None:
        """A person accepts a message that asks for it, or declines: everybody in the conversation will know,
        with what was understood or why not."""
        self._ward._will_write(read_back, None)
        await self.client.answer(message.reference, _VERDICTS[accept], read_back)
        said = f": {read_back!r}" if read_back else ""
        does = "accepts" if accept else "declines"
        self._note(f"{does} {self._ward._name(message.reference)}{said}")

    async def amend(self, message: Sent | Message, text: str, reason: str = "") -> None:
        """The author corrects what a message says; what it said before stays in its history."""
        self._ward._will_write(text, None)
        self._ward._will_write(reason, None)
        await self.client.amend(message.reference, text, reason)
        why = f" ({reason!r})" if reason else ""
        self._note(f"corrects {self._ward._name(message.reference)} to {text!r}{why}")

    async def recall(self, message: Sent | Message, reason: str = "") -> None:
        """The author takes a message back: its text goes, on every device that says so."""
        self._ward._will_write(reason, None)
        await self.client.recall(message.reference, reason)
        why = f": {reason!r}" if reason else ""
        self._note(f"takes {self._ward._name(message.reference)} back{why}")

    async def messages(self, other: Participant | Recipient | str) -> tuple[Message, ...]:
        """Everything in the conversation with a person or a team, oldest first."""
        return await self.messages_in(self._with(other))

    async def messages_in(self, conversation: str) -> tuple[Message, ...]:
        """Everything in a conversation that is named by its id, oldest first."""
        found: list[Message] = []
        before = None
        while True:
            page = await self.client.timeline(conversation, before=before, size=200)
            found[:0] = page.messages
            if (before := page.before) is None:
                return tuple(found)

    async def texts(self, other: Participant | Recipient | str) -> list[str]:
        """What the conversation with a person or a team says, oldest first."""
        return [message.text for message in await self.messages(other)]

    # What can be asked; `delivered`, `read` and `recalled` are inherited.

    def shows(self, message: Sent) -> Condition:
        """A person who looks at this device can read the message."""

        async def holds() -> bool:
            try:
                return bool(await self.client.messages(message.reference))
            except LockedError:
                return False

        async def how() -> str:
            return "it is locked" if self.client.is_locked else "it does not have the message"

        return Condition(f"{self.name} shows {message.name}", holds, how)

    def answered_by(
        self, message: Sent, who: Participant | str, *, accept: bool | None = None
    ) -> Condition:
        """This device knows what somebody has answered; with ``accept``, that their last word is yes or no."""
        user = who.user if isinstance(who, Participant) else self._ward._user(who)
        wanted = set(Verdict) if accept is None else {_VERDICTS[accept]}

        async def last() -> Verdict | None:
            for answer in await self.client.answers(message.reference):
                if answer.user == user and answer.stands:
                    return answer.verdict
            return None

        async def holds() -> bool:
            return not self.client.is_locked and await last() in wanted

        async def how() -> str:
            if self.client.is_locked:
                return "it is locked"
            found = await last()
            return "nothing was answered" if found is None else f"it was {found.value}"

        did = {None: "answered", True: "accepted", False: "declined"}[accept]
        words = f"{self.name} knows that {self._ward._name(user)} has {did} {message.name}"
        return Condition(words, holds, how)

    def says(self, message: Sent, text: str) -> Condition:
        """A person who looks at this device reads this in the message: for one that was corrected."""

        async def found() -> str | None:
            shown = [] if self.client.is_locked else await self.client.messages(message.reference)
            return shown[0].text if shown else None

        async def holds() -> bool:
            return await found() == text

        async def how() -> str:
            says = await found()
            return "it does not show it" if says is None else f"it says {says!r}"

        return Condition(f"on {self.name} {message.name} says {text!r}", holds, how)

    def has_text(self, text: str, other: Participant | Recipient | str) -> Condition:
        """The conversation with a person or a team has a message that says this: for messages that an
        app in another process wrote."""

        async def holds() -> bool:
            return text in await self.texts(other)

        return Condition(f"{self.name} has a message that says {text!r}", holds)

    # What happens to a device.

    def lock(self) -> None:
        """Nobody can read until it is unlocked. It goes on receiving."""
        self.client.lock()
        self._note("is locked")

    async def unlock(self, passphrase: str = PASSPHRASE) -> None:
        """Somebody types the passphrase."""
        await self.client.unlock(Passphrase(passphrase))
        self._note("is unlocked")

    def start(self) -> None:
        """Lets it send and fetch by itself, as in an app; otherwise the ward drives it."""
        self.client.start()
        self._note("sends and fetches by itself")

    def kill(self) -> None:
        """Ends it as a system ends an app: it is not asked, and what it was doing is given up.

        What was under way in its database is rolled back. (A process that dies by a signal is what you
        get by joining an app of your own, and killing that.)
        """
        self._note("is killed")
        self.network._silence()
        self._client = None
        # The library lets go when the last reference does, and a cycle would keep one.
        gc.collect()

    async def close(self) -> None:
        """Ends it as an app ends that is asked to."""
        if self._client is not None:
            await self._client.close()
            self._client = None
            self._note("is closed")

    async def reopen(self, *, unlock: bool = True, key_store: KeyStore | None = None) -> None:
        """Opens it again from its disk, after :meth:`kill` or :meth:`close`, or instead of them; with
        another key store when one is given."""
        await self.close()
        if key_store is not None:
            self.config = dataclasses.replace(self.config, key_store=key_store)
        self.network._apply()
        self._client = await open_client(self.config, clock=self._ward.clock)
        self._note("is opened again, locked")
        if unlock:
            await self.unlock()

    async def inbox(self) -> Inbox:
        """What a process holds that shows notifications, on the same disk, whether this device runs or not:
        ``async with await nurse.inbox() as inbox: await inbox.collect(within=...)``."""
        return await open_inbox(self.config, clock=self._ward.clock)

    def _mine(self, delivery: PersonDelivery) -> DeviceDelivery | PersonDelivery | None:
        return next((one for one in delivery.devices if one.device == self.id), None)

    def _with(self, other: Participant | Recipient | str) -> str:
        if isinstance(other, str):
            return self.client.conversation(Person(self._ward._user(other)))
        recipient = Person(other.user) if isinstance(other, Participant) else other
        return self.client.conversation(recipient)

    def _note(self, what: str) -> None:
        self._ward._note(self.name, what)


def is_for(message: Sent, device: Device) -> bool:
    """Whether a device is one that the message goes to: a recipient's, or another one of its author."""
    if device is message.author:
        return True
    return device.user in message.users or device.user == message.author.user


def _words(structured: Structured | None) -> tuple[str, ...]:
    """Every text in the fields of a structured message."""
    if structured is None:
        return ()
    names = (one.name for one in dataclasses.fields(structured))
    values = (getattr(structured, name) for name in names if name not in ("ordered_by", "type_uri"))
    return tuple(value for value in values if isinstance(value, str))


_RANK = {state: rank for rank, state in enumerate(DeliveryState)}
_VERDICTS = {True: Verdict.ACCEPTED, False: Verdict.DECLINED}
_GONE = {RecallOutcome.WITHDRAWN, RecallOutcome.PURGED_UNREAD, RecallOutcome.PURGED_READ}
