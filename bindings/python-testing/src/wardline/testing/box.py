"""The parts of a ward in a box: a relay in the process, a clock set by hand, a network that fails.

Thin on purpose: what a scenario says with them is :mod:`wardline.testing.ward`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from wardline._bridge import do, native, run
from wardline.authority import Authority, AuthoritySecrets
from wardline.client import Client, Opening
from wardline.config import Config, native_config
from wardline.host import BuiltInTransport, Transport, native_key_store, native_transport
from wardline.inbox import Inbox
from wardline.secrets import Passphrase

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLI = timedelta(milliseconds=1)


class Clock:
    """A clock that stands still until it is moved: one for relay, authority and clients.

    Messages, tickets, heads and receipts are dated by it. Pauses between retries and long polls follow
    the system's.
    """

    def __init__(self, now: datetime | None = None) -> None:
        millis = None if now is None else (now - _EPOCH) // _MILLI
        self._native: Any = do(lambda: native.TestClock(millis))

    @property
    def now(self) -> datetime:
        """What it shows."""
        return _EPOCH + int(do(self._native.now_ms)) * _MILLI

    def advance(self, by: timedelta) -> None:
        """Lets time pass."""
        do(lambda: self._native.advance(by // _MILLI))

    def set(self, now: datetime) -> None:
        """Turns the wall clock, in either direction; no time passes."""
        do(lambda: self._native.set((now - _EPOCH) // _MILLI))


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeUp:
    """What a push gateway is told: which device to wake and how loudly, and nothing else."""

    #: The device, as the push service knows it.
    token: str
    #: Which push service and which app the token is of.
    topic: str
    #: ``silent``, ``alert`` or ``critical``.
    wake_class: str


class Relay:
    """A relay in this process, reachable without a socket, and on one when asked."""

    def __init__(self, inside: Any) -> None:
        self._native = inside

    @classmethod
    async def open(
        cls,
        folder: str | os.PathLike[str],
        name: str,
        root_documents: Sequence[str],
        *,
        clock: Clock | None = None,
    ) -> Relay:
        """Opens a relay of this name on a folder, for the organizations of these root documents."""
        hands = None if clock is None else clock._native
        path, roots = os.fspath(folder), list(root_documents)
        return cls(await run(lambda: native.TestRelay.open(path, name, roots, hands)))

    def transport(self) -> Transport:
        """A transport to it, without a socket."""
        return BuiltInTransport(do(self._native.transport))

    async def listen(self, port: int = 0) -> str:
        """Puts it on a port of this machine (0 takes a free one) and returns its address."""
        return str(await run(lambda: self._native.listen(port)))

    async def sweep(self) -> None:
        """Deletes what is too old by its clock now."""
        await run(lambda: self._native.sweep())

    async def release_due(self) -> None:
        """Releases what is held and due by its clock now."""
        await run(lambda: self._native.release_due())

    async def next_wake_up(self) -> WakeUp:
        """Waits for the next wake-up that it hands to its push gateway, which keeps all of them. A device
        in a long poll is woken only when it has not acknowledged what came after 3 s."""
        told = await run(lambda: self._native.next_wake_up())
        return WakeUp(token=told.token, topic=told.topic, wake_class=told.wake_class)

    def metrics(self) -> str:
        """Its metrics, as OpenMetrics text."""
        return str(do(self._native.metrics))

    async def stop(self) -> None:
        """Answers every waiting poll, finishes what was begun and closes."""
        await run(lambda: self._native.stop())


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """What the calls of one device meet: each fault in so many calls of a hundred."""

    #: They do not reach the relay.
    lose_requests: int = 0
    #: The relay carries them out; the answer is lost.
    lose_answers: int = 0
    #: They reach the relay twice.
    duplicate: int = 0
    #: They are overtaken by the next call.
    reorder: int = 0
    #: The answer ends early.
    truncate: int = 0
    #: A bit of the answer is flipped.
    flip_bits: int = 0
    #: The shortest and the longest time every call is held up.
    delay: tuple[timedelta, timedelta] = (timedelta(), timedelta())


class FaultyNetwork(BuiltInTransport):
    """A network in front of a transport, which fails as it is told."""

    def __init__(self, behind: Transport) -> None:
        inside = native_transport(behind)
        self._switches: Any = do(lambda: native.faulty_transport(inside))
        super().__init__(do(self._switches.transport))

    def cut(self) -> None:
        """No call comes through."""
        do(self._switches.cut)

    def mend(self) -> None:
        """Calls come through again, and meet nothing."""
        do(self._switches.mend)

    def set_plan(self, plan: FaultPlan, *, seed: int) -> None:
        """From now on calls meet these faults; the same seed is the same run."""
        shortest, longest = plan.delay
        record = native.FaultPlan(
            lose_requests=plan.lose_requests,
            lose_answers=plan.lose_answers,
            duplicate=plan.duplicate,
            reorder=plan.reorder,
            truncate=plan.truncate,
            flip_bits=plan.flip_bits,
            min_delay_ms=shortest // _MILLI,
            max_delay_ms=longest // _MILLI,
        )
        do(lambda: self._switches.set_plan(record, seed))

    @property
    def calls(self) -> int:
        """How many calls were made."""
        return int(do(self._switches.calls))


def found(
    organization: str, secrets: AuthoritySecrets, *, clock: Clock, threshold: int = 1
) -> Authority:
    """:meth:`Authority.found` with a clock that is set by hand."""
    keys, hands = secrets._native, clock._native
    return Authority(do(lambda: native.Authority.found_at(organization, threshold, keys, hands)))


def enroll(
    config: Config,
    user: str,
    *,
    ticket: str,
    passphrase: Passphrase,
    clock: Clock,
    label: str = "device",
) -> Opening:
    """:meth:`Client.enroll` with a clock that is set by hand."""

    async def start() -> Client:
        record, hands, secret = native_config(config), clock._native, passphrase._native
        transport = native_transport(config.transport)
        keys = native_key_store(config.key_store)
        return Client(
            await run(
                lambda: native.Client.enroll_at(
                    record, transport, keys, user, label, ticket, secret, hands, None
                )
            )
        )

    return Opening(start)


def open_client(config: Config, *, clock: Clock) -> Opening:
    """:meth:`Client.open` with a clock that is set by hand."""

    async def start() -> Client:
        record, hands = native_config(config), clock._native
        transport = native_transport(config.transport)
        keys = native_key_store(config.key_store)
        return Client(
            await run(lambda: native.Client.open_at(record, transport, keys, hands, None))
        )

    return Opening(start)


async def open_inbox(config: Config, *, clock: Clock) -> Inbox:
    """:meth:`Inbox.open` with a clock that is set by hand."""
    record, hands = native_config(config), clock._native
    transport = native_transport(config.transport)
    keys = native_key_store(config.key_store)
    return Inbox(await run(lambda: native.Inbox.open_at(record, transport, keys, hands)))
