"""What the host brings, written in Python: well behaved, throwing, hanging, answering nonsense."""

from __future__ import annotations

import asyncio
import gc
import os
import weakref
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from conftest import RELAY, SHORT, WORDS, Ward
from wardline import (
    AuthorityError,
    Client,
    ClosedError,
    KeyPurpose,
    KeyStore,
    KeyStoreError,
    KeyStoreProblem,
    KeyStoreRefusal,
    NetworkError,
    Passphrase,
    Person,
    RelayRequest,
    RelayResponse,
    Transport,
    Unreachable,
    WardlineError,
)
from wardline.authority import PersonDetails, StateStore


class Carrier(Transport):
    """Carries calls to a relay, in Python, and can be told to misbehave."""

    def __init__(self, behind: Transport) -> None:
        self.behind = behind
        self.calls = 0
        self.hung = 0
        self.gave_up = 0
        self.mischief: Any = None

    async def call(self, request: RelayRequest) -> RelayResponse:
        self.calls += 1
        if self.mischief is not None:
            self.hung += self.mischief is _hang
            try:
                found: RelayResponse = await self.mischief()
                return found
            except asyncio.CancelledError:
                self.gave_up += 1
                raise
        answer = await self.behind.call(request)  # type: ignore[misc]
        assert isinstance(answer, RelayResponse)
        return answer


class Memory(KeyStore):
    """A key store in memory. Its wrapping hides nothing: it is for tests."""

    def __init__(self) -> None:
        self.keys: dict[KeyPurpose, bytes] = {}
        self.count = 0
        self.refusing: Exception | None = None
        self.hanging = False
        self.hung = 0

    async def _obey(self) -> None:
        if self.refusing is not None:
            raise self.refusing
        if self.hanging:
            self.hung += 1
            await asyncio.sleep(3600)

    def _mix(self, purpose: KeyPurpose, data: bytes) -> bytes:
        key = self.keys.setdefault(purpose, os.urandom(32))
        return bytes(a ^ b for a, b in zip(data, key))

    async def wrap(self, purpose: KeyPurpose, secret: bytes) -> bytes:
        await self._obey()
        return self._mix(purpose, secret)

    async def unwrap(self, purpose: KeyPurpose, wrapped: bytes) -> bytes:
        await self._obey()
        return self._mix(purpose, wrapped)

    def erase(self, purpose: KeyPurpose) -> None:
        self.keys.pop(purpose, None)

    def attempts(self) -> int:
        return self.count

    def count_attempt(self) -> int:
        self.count += 1
        return self.count

    def reset_attempts(self) -> None:
        self.count = 0


# scenario: foreign-transport, foreign-key-store
async def test_a_transport_and_a_key_store_in_python_carry_a_message(ward: Ward) -> None:
    carrier, memory = Carrier(ward.relay.transport()), Memory()
    nurse = await ward.enroll("NS-1", transport=carrier, key_store=memory)
    doctor = await ward.enroll("DR-1")
    await nurse.client.send(Person("DR-1"), "carried by Python")
    await ward.settle(nurse, doctor)
    assert await doctor.texts("NS-1") == ["carried by Python"]
    assert carrier.calls > 3
    await ward.reopen(nurse)
    assert await nurse.client.unlock(Passphrase(WORDS)) == 0
    assert await nurse.texts("DR-1") == ["carried by Python"]


async def _throw() -> RelayResponse:
    raise RuntimeError("no such cable")


async def _give_up() -> RelayResponse:
    raise asyncio.CancelledError


async def _unplugged() -> RelayResponse:
    raise Unreachable


async def _nonsense() -> Any:
    return "four"


async def _impossible() -> RelayResponse:
    return RelayResponse(999_999, b"")


async def _garbage() -> RelayResponse:
    return RelayResponse(200, b"\xff" * 40)


async def _hang() -> RelayResponse:
    await asyncio.sleep(3600)
    raise AssertionError


# scenario: foreign-transport
@pytest.mark.parametrize(
    ("mischief", "code"),
    [
        (_throw, "WL-NET-INTERRUPTED"),
        (_give_up, "WL-NET-INTERRUPTED"),
        (_unplugged, "WL-NET-UNREACHABLE"),
        (_nonsense, "WL-NET-INTERRUPTED"),
        (_impossible, "WL-NET-INTERRUPTED"),
        (_garbage, "WL-NET-BAD-ANSWER"),
        (_hang, "WL-NET-INTERRUPTED"),
    ],
)
async def test_whatever_a_transport_does_is_a_network_error(
    ward: Ward, mischief: Any, code: str
) -> None:
    carrier = Carrier(ward.relay.transport())
    nurse = await ward.enroll("NS-1", transport=carrier, transport_timeout=SHORT)
    doctor = await ward.enroll("DR-1")
    await nurse.client.send(Person("DR-1"), "in spite of it")
    carrier.mischief = mischief
    with pytest.raises(NetworkError) as refused:
        await asyncio.wait_for(nurse.client.sync_once(), 20)
    assert refused.value.code == code
    if mischief is _hang:
        await asyncio.sleep(0.1)
        assert carrier.gave_up == 1
    carrier.mischief = None
    await ward.settle(nurse, doctor)
    assert await doctor.texts("NS-1") == ["in spite of it"]


# scenario: foreign-key-store
async def test_a_key_store_that_refuses_is_an_error_with_its_cause(ward: Ward) -> None:
    memory = Memory()
    nurse = await ward.enroll("NS-1", key_store=memory, key_store_timeout=SHORT)
    for problem, code in [
        (KeyStoreRefusal(KeyStoreProblem.DISMISSED), "WL-VAULT-HOST-CANCELLED"),
        (KeyStoreRefusal(KeyStoreProblem.UNAVAILABLE), "WL-VAULT-HOST-UNAVAILABLE"),
        (KeyStoreRefusal(KeyStoreProblem.NOT_MINE), "WL-VAULT-HOST-NOT-MINE"),
        (KeyStoreRefusal(KeyStoreProblem.FAILED, -25300), "WL-VAULT-HOST-FAILED"),
        (RuntimeError("no enclave"), "WL-VAULT-HOST-FAILED"),
    ]:
        memory.refusing = problem
        with pytest.raises(KeyStoreError) as refused:
            await ward.reopen(nurse)
        assert refused.value.code == code
        if isinstance(problem, KeyStoreRefusal) and problem.status:
            assert refused.value.status == -25300
    memory.refusing = None
    memory.hanging = True
    with pytest.raises(KeyStoreError) as slow:
        await asyncio.wait_for(ward.reopen(nurse), 20)
    assert slow.value.code == "WL-VAULT-HOST-UNAVAILABLE"
    memory.hanging = False
    await ward.reopen(nurse)
    assert nurse.client.is_locked


@pytest.mark.parametrize("answer", ["four", None, b"", b"short", b"\0" * 32, 7, [1, 2]])
async def test_a_key_store_that_answers_nonsense_opens_nothing(ward: Ward, answer: Any) -> None:
    memory = Memory()
    nurse = await ward.enroll("NS-1", key_store=memory)

    async def nonsense(purpose: KeyPurpose, wrapped: bytes) -> Any:
        return answer

    honest = memory.unwrap
    memory.unwrap = nonsense  # type: ignore[method-assign]
    with pytest.raises(WardlineError) as refused:
        await asyncio.wait_for(ward.reopen(nurse), 20)
    assert refused.value.code.startswith("WL-VAULT")
    memory.unwrap = honest  # type: ignore[method-assign]
    await ward.reopen(nurse)
    await nurse.client.unlock(Passphrase(WORDS))


async def test_a_key_store_that_gives_up_by_itself_has_failed(ward: Ward) -> None:
    memory = Memory()
    nurse = await ward.enroll("NS-1", key_store=memory)

    async def give_up(purpose: KeyPurpose, wrapped: bytes) -> bytes:
        raise asyncio.CancelledError

    memory.unwrap = give_up  # type: ignore[method-assign]
    with pytest.raises(KeyStoreError) as refused:
        await asyncio.wait_for(ward.reopen(nurse), 20)
    assert refused.value.code == "WL-VAULT-HOST-FAILED"


async def test_a_key_store_that_counts_wrongly_lets_nobody_in_uncounted(ward: Ward) -> None:
    memory = Memory()
    nurse = await ward.enroll("NS-1", key_store=memory)
    nurse.client.lock()
    for count in ("many", None, -1, 2**80):
        memory.count_attempt = lambda count=count: count  # type: ignore
        with pytest.raises(WardlineError) as refused:
            await asyncio.wait_for(nurse.client.unlock(Passphrase(WORDS)), 20)
        assert refused.value.code == "WL-VAULT-HOST-FAILED"
        assert nurse.client.is_locked


async def test_a_cancelled_call_reaches_the_transport_that_hangs_in_it(ward: Ward) -> None:
    carrier = Carrier(ward.relay.transport())
    nurse = await ward.enroll("NS-1", transport=carrier)
    doctor = await ward.enroll("DR-1")
    await nurse.client.send(Person("DR-1"), "in spite of it")
    carrier.mischief = _hang
    calls = carrier.calls
    waiting = asyncio.create_task(nurse.client.sync_once())
    while carrier.calls == calls:
        await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(20):
        while carrier.gave_up == 0:
            await asyncio.sleep(0.01)
    carrier.mischief = None
    await ward.settle(nurse, doctor)
    assert await doctor.texts("NS-1") == ["in spite of it"]


# scenario: cancellation
async def test_an_enrollment_that_was_given_up_is_taken_up_again(ward: Ward) -> None:
    carrier, memory = Carrier(ward.relay.transport()), Memory()
    config = ward.config("given-up", carrier, memory)
    ticket = await ward.authority.mint_ticket("NS-1")

    async def enroll() -> Client:
        return await Client.enroll(config, "NS-1", ticket=ticket, passphrase=Passphrase(WORDS))

    async def open_again() -> Client:
        return await Client.open(config)

    async def give_up(call: Callable[[], Coroutine[Any, Any, Client]]) -> None:
        before = memory.hung + carrier.hung
        waiting = asyncio.create_task(call())
        async with asyncio.timeout(20):
            while memory.hung + carrier.hung == before:
                await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    # While the platform asks somebody for something, and while the relay does not answer.
    memory.hanging = True
    await give_up(enroll)
    memory.hanging = False
    carrier.mischief = _hang
    await give_up(enroll)
    carrier.mischief = None
    nurse = await enroll()
    await ward.publish()
    await nurse.sync_once()
    await nurse.send(Person("DR-1"), "enrolled in the end")
    await nurse.close()

    memory.hanging = True
    await give_up(open_again)
    memory.hanging = False
    nurse = await open_again()
    await nurse.unlock(Passphrase(WORDS))
    page = await nurse.timeline(nurse.conversation(Person("DR-1")))
    assert [message.text for message in page.messages] == ["enrolled in the end"]
    await nurse.close()


async def test_closing_ends_a_call_whose_transport_hangs(ward: Ward) -> None:
    carrier = Carrier(ward.relay.transport())
    nurse = await ward.enroll("NS-1", transport=carrier)
    carrier.mischief = _hang
    calls = carrier.calls
    waiting = asyncio.create_task(nurse.client.sync_once())
    while carrier.calls == calls:
        await asyncio.sleep(0.01)
    await asyncio.wait_for(nurse.client.close(), 20)
    with pytest.raises(ClosedError):
        await asyncio.wait_for(waiting, 20)


class Forgetful(StateStore):
    """Keeps nothing."""

    async def save(self, snapshot: bytes) -> None:
        raise OSError("the disk is full")


async def test_a_state_store_that_fails_publishes_nothing(ward: Ward) -> None:
    before = await ward.authority.version()
    await ward.authority.upsert_person(PersonDetails("DR-2", "Dr. Two"))
    with pytest.raises(AuthorityError):
        await ward.authority.publish(RELAY, ward.relay.transport(), Forgetful())
    await ward.publish()
    assert await ward.authority.version() > before


async def test_a_key_store_that_returns_another_key_opens_nothing(ward: Ward) -> None:
    memory = Memory()
    nurse = await ward.enroll("NS-1", key_store=memory)
    memory.keys[KeyPurpose.INBOX] = os.urandom(32)
    with pytest.raises(Exception) as refused:
        await ward.reopen(nurse)
    assert getattr(refused.value, "code").startswith("WL-VAULT")


async def test_closing_lets_go_of_what_the_host_brought(ward: Ward) -> None:
    carrier, memory = Carrier(ward.relay.transport()), Memory()
    gone: list[weakref.ref[Any]] = [weakref.ref(carrier), weakref.ref(memory)]
    ticket = await ward.authority.mint_ticket("NS-1")
    config = ward.config("alone", carrier, memory)
    client = await Client.enroll(config, "NS-1", ticket=ticket, passphrase=Passphrase(WORDS))
    client.start()
    await asyncio.sleep(0.1)
    await client.close()
    del carrier, memory, config
    for _ in range(50):
        gc.collect()
        if all(reference() is None for reference in gone):
            break
        await asyncio.sleep(0.05)
    assert [reference() for reference in gone] == [None, None]


async def test_a_client_that_is_only_dropped_lets_go_as_well(ward: Ward) -> None:
    carrier = Carrier(ward.relay.transport())
    gone = weakref.ref(carrier)
    ticket = await ward.authority.mint_ticket("NS-1")
    client: Client | None = await Client.enroll(
        ward.config("dropped", carrier),
        "NS-1",
        ticket=ticket,
        passphrase=Passphrase(WORDS),
    )
    assert client is not None
    client.start()
    del client, carrier
    for _ in range(50):
        gc.collect()
        if gone() is None:
            break
        await asyncio.sleep(0.05)
    assert gone() is None


class Threaded(Carrier):
    """Carries calls in a plain function, which answers an awaitable every other time."""

    def call(self, request: RelayRequest) -> Any:
        self.calls += 1
        if self.calls % 2:
            return self.behind.call(request)
        return asyncio.run(self._wait(request))

    async def _wait(self, request: RelayRequest) -> Any:
        return await self.behind.call(request)  # type: ignore[misc]


async def test_a_transport_may_be_a_plain_function(ward: Ward) -> None:
    threaded = Threaded(ward.relay.transport())
    nurse = await ward.enroll("NS-1", transport=threaded)
    doctor = await ward.enroll("DR-1")
    await nurse.client.send(Person("DR-1"), "from a thread")
    await ward.settle(nurse, doctor)
    assert await doctor.texts("NS-1") == ["from a thread"]
    assert threaded.calls > 3


async def test_a_host_may_carry_the_calls_itself(ward: Ward) -> None:
    doctor = await ward.enroll("DR-1")
    nurse = await ward.enroll("NS-1")
    await nurse.client.send(Person("DR-1"), "in the background")
    line = ward.relay.transport()
    for _ in range(12):
        for pending in await nurse.client.pending_requests():
            answer = await line.call(pending.request)  # type: ignore[misc]
            assert isinstance(answer, RelayResponse)
            await nurse.client.complete(pending.id, answer)
    await ward.settle(doctor)
    assert await doctor.texts("NS-1") == ["in the background"]


assert SHORT < timedelta(seconds=1)
