"""What the binding adds to a call, and whether memory grows: against the same calls made in Rust.

Both sides run in this process, call by call in turns, so that whatever else the machine does meets
both. The differences of the medians are what counts; memory is that of the process, relay excepted (the
relay runs in a process of its own). Needs the packages ``wardline`` and ``wardline-testing``, built for
release::

    cargo xtask bench-bindings python
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path

from wardline import Client, Config, Passphrase, Person, RelayError, file_key_store, http_transport
from wardline._bridge import native, run
from wardline.authority import Authority, AuthoritySecrets, PersonDetails
from wardline.testing import Relay

RELAY = "relay.mercy.example"
TEXT = "K 6.6 mmol/L, please repeat and call back"
#: What the binding may add, in microseconds.
LIMITS = {"send": 100.0, "receive, per event": 5.0, "timeline page of 50": 2000.0}
#: What 20,000 sends and receives may leave behind, in MiB: what an allocator keeps back.
GROWTH = 4.0
EVENTS = 500


def serve(answer: Connection, folder: str) -> None:
    """The relay and the organization, in a process of their own."""

    async def main() -> None:
        authority = Authority.found("mercy", AuthoritySecrets.generate(root_keys=1))
        for user in ("NS-1", "DR-1"):
            await authority.upsert_person(PersonDetails(user, f"Person {user}"))
        relay = await Relay.open(f"{folder}/relay", RELAY, [await authority.root_document()])
        await authority.publish(RELAY, relay.transport())
        tickets = [await authority.mint_ticket(user) for user in ("NS-1", "DR-1")]
        answer.send((await relay.listen(), await authority.pin(), tickets))
        while await asyncio.to_thread(answer.recv):
            await authority.publish(RELAY, relay.transport())
            answer.send(True)
        await relay.stop()

    asyncio.run(main())


async def compare(
    ours: Callable[[], Awaitable[object]], theirs: Callable[[int], Awaitable[list[int]]], turns: int
) -> tuple[float, float]:
    """The medians, in microseconds: from Python, and in Rust. Best read on a quiet machine: a call from
    Python changes threads twice more, and waits for a core each time when all are busy."""
    python: list[int] = []
    rust: list[int] = []
    for _ in range(turns):
        # One call each: in a row of them, threads that a single call has to wake are still awake.
        rust += await theirs(1)
        started = time.perf_counter_ns()
        await ours()
        python.append(time.perf_counter_ns() - started)
    return statistics.median(python) / 1000, statistics.median(rust) / 1000


def resident() -> float:
    """What this process has in memory, in MiB."""
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


async def overhead(nurse: Client, doctor: Client, turns: int) -> dict[str, tuple[float, float]]:
    to = Person("DR-1")
    found = {}
    watch, other = (native.Stopwatch(one._native) for one in (nurse, doctor))
    recipient = native.Recipient.PERSON(user="DR-1")
    found["send"] = await compare(
        lambda: nurse.send(to, TEXT),
        lambda times: run(lambda: watch.sends(recipient, TEXT, times)),
        turns,
    )
    conversation = nurse.conversation(to)
    found["timeline page of 50"] = await compare(
        lambda: nurse.timeline(conversation, size=50),
        lambda times: run(lambda: watch.pages(conversation, 50, times)),
        turns,
    )
    for number in range(EVENTS):
        await nurse.send(to, f"{TEXT} {number}")
    await sync(nurse)
    await sync(doctor)
    assert len(await doctor.events_from(limit=EVENTS)) == EVENTS
    python, rust = await compare(
        lambda: doctor.events_from(limit=EVENTS),
        lambda times: run(lambda: other.events(EVENTS, times)),
        max(turns // 4, 5),
    )
    found["receive, per event"] = python / EVENTS, rust / EVENTS
    return found


async def live(nurse: Client, doctor: Client, messages: int, text: str = TEXT) -> None:
    """So many messages are sent, received, told as events and confirmed."""
    for start in range(0, messages, 200):
        for number in range(start, start + 200):
            await nurse.send(Person("DR-1"), f"{text} {number}")
        for client in (nurse, doctor, nurse):
            await sync(client)
        for client in (nurse, doctor):
            while events := await client.events_from(limit=500):
                await client.confirm(events[-1])


async def sync(client: Client) -> None:
    """One round. A relay lets a device ask as often as people need it, which is less often than this."""
    for _ in range(60):
        try:
            await client.sync_once()
        except RelayError as error:
            if error.code != "WL-RELAY-QUOTA":
                raise
            await asyncio.sleep(0.5)
        else:
            return
    raise TimeoutError("the relay serves no more")


async def memory(nurse: Client, doctor: Client, messages: int) -> float:
    """How much the process has grown after so many messages, in MiB, after a warm-up."""
    # Long ones: the page caches of SQLite grow with the store until they are full.
    await live(nurse, doctor, 6000, text=TEXT * 60)
    before = resident()
    steps = []
    for _ in range(5):
        await live(nurse, doctor, messages // 5)
        steps.append(resident() - before)
    print("  growth after each fifth:", ", ".join(f"{step:+.1f}" for step in steps), "MiB")
    return steps[-1]


async def main(folder: Path, answer: Connection, turns: int, messages: int) -> bool:
    url, pin, tickets = answer.recv()

    async def enroll(user: str, ticket: str) -> Client:
        config = Config(
            folder=folder / user,
            organization="mercy",
            root=pin,
            relay=RELAY,
            transport=http_transport(url),
            key_store=file_key_store(folder / f"{user}.keys"),
        )
        return await Client.enroll(config, user, ticket=ticket, passphrase=Passphrase("bench"))

    nurse, doctor = await enroll("NS-1", tickets[0]), await enroll("DR-1", tickets[1])
    answer.send(True)
    answer.recv()
    for client in (doctor, nurse):
        await sync(client)
    await live(nurse, doctor, 200)

    good = True
    print(f"{'call':<22}{'Python':>12}{'Rust':>12}{'added':>12}{'at most':>12}   (µs, medians)")
    for name, (python, rust) in (await overhead(nurse, doctor, turns)).items():
        good &= python - rust <= LIMITS[name]
        print(f"{name:<22}{python:12.1f}{rust:12.1f}{python - rust:12.1f}{LIMITS[name]:12.1f}")
    if messages:
        grown = await memory(nurse, doctor, messages)
        good &= grown <= GROWTH
        print(f"memory over {messages} sends and receives: {grown:+.1f} MiB, at most {GROWTH:.0f}")
    await nurse.close()
    await doctor.close()
    answer.send(False)
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=500, help="calls of each side, in turns")
    parser.add_argument("--messages", type=int, default=20_000, help="0 leaves memory out")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        relay = context.Process(target=serve, args=(there, place), daemon=True)
        relay.start()
        held = asyncio.run(main(Path(place), here, chosen.turns, chosen.messages))
        relay.join(20)
    sys.exit(0 if held else 1)
