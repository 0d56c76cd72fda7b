"""The life of a process: loops that come and go, threads, forks, exits without closing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from conftest import RELAY, WORDS, Device, Ward, open_ward
from wardline import Client, ForkedError, Passphrase, Person, is_enrolled

HERE = Path(__file__).parent

SETUP = """
import asyncio, os, sys, tempfile
from pathlib import Path
sys.path.insert(0, {here!r})
from conftest import open_ward, Ward
from test_host import Carrier, Memory
from wardline import *
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    program = SETUP.format(here=str(HERE)) + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", program],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_a_process_that_ends_without_closing_ends_well() -> None:
    done = run(
        """
        async def main(folder):
            ward = await open_ward(folder)
            carrier = Carrier(ward.relay.transport())
            nurse = await ward.enroll("NS-1", transport=carrier, key_store=Memory())
            nurse.client.start()
            await asyncio.sleep(0.2)
            sent = await nurse.client.send(Person("DR-1"), "goodbye")
            return ward, nurse

        folder = Path(tempfile.mkdtemp())
        kept = asyncio.run(main(folder))
        print("ended")
        """
    )
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


async def test_what_was_sent_before_an_exit_without_closing_is_there_and_leaves(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    await nurse.client.close()
    done = run(
        f"""
        async def main():
            client = await Client.open({await again(ward, nurse)})
            client.start()
            print(*[await client.send(Person("DR-1"), f"goodbye {{n}}") for n in range(5)])
            return client

        kept = asyncio.run(main())
        """
    )
    sent = done.stdout.split()
    assert (done.returncode, len(sent)) == (0, 5), done.stderr
    await ward.reopen(nurse)
    await nurse.client.unlock(Passphrase(WORDS))
    await ward.settle(nurse, doctor)
    for device, other in [(nurse, "DR-1"), (doctor, "NS-1")]:
        page = await device.client.timeline(device.client.conversation(Person(other)))
        assert [message.id for message in page.messages] == sent


# scenario: second-process
async def test_two_processes_on_one_store_lose_nothing_and_show_nothing_twice(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    said = [await doctor.client.send(Person("NS-1"), f"doctor {n}") for n in range(10)]
    await doctor.client.sync_once()
    code = f"""
        async def main():
            async with Client.open({await again(ward, nurse)}) as client:
                for n in range(10):
                    await client.send(Person("DR-1"), f"second {{n}}")
                    await client.sync_once()

        asyncio.run(main())
    """
    second = asyncio.create_task(asyncio.to_thread(run, code))
    said += [await nurse.client.send(Person("DR-1"), "first process")]
    number = 0
    while not second.done():
        number += 1
        said.append(await nurse.client.send(Person("DR-1"), f"first {number}"))
        await nurse.client.sync_once()
        await asyncio.sleep(0.05)
    done = await second
    assert done.returncode == 0, done.stderr
    await ward.settle(nurse, doctor, nurse)
    for device, other in [(nurse, "DR-1"), (doctor, "NS-1")]:
        conversation = device.client.conversation(Person(other))
        page = await device.client.timeline(conversation, size=1000)
        texts = [message.text for message in page.messages]
        assert len(texts) == len(set(texts)) == len(said) + 10
        assert set(said) <= {message.id for message in page.messages}


async def again(ward: Ward, device: Device) -> str:
    """What opens a device in another process, as source."""
    url = await ward.relay.listen()
    folder = str(device.config.folder)
    return (
        f"Config(folder={folder!r}, organization='mercy', root={ward.pin!r}, "
        f"relay={RELAY!r}, transport=http_transport({url!r}), "
        f"key_store=file_key_store({folder + '.keys'!r}))"
    )


def test_a_process_that_ends_in_the_middle_of_a_call_ends_well() -> None:
    done = run(
        """
        async def main(folder):
            ward = await open_ward(folder)
            nurse = await ward.enroll("NS-1")
            nurse.client.start()
            async def forever():
                async for _ in nurse.client.events(): pass
            tasks = [asyncio.create_task(forever()) for _ in range(3)]
            await asyncio.sleep(0.2)
            print("ended", flush=True)
            sys.exit(0)

        asyncio.run(main(Path(tempfile.mkdtemp())))
        """
    )
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


def test_two_event_loops_one_after_the_other_share_a_client(tmp_path: Path) -> None:
    async def first() -> tuple[Ward, Client]:
        ward = await open_ward(tmp_path)
        return ward, (await ward.enroll("NS-1")).client

    async def second(ward: Ward, client: Client) -> list[str]:
        await client.send(Person("DR-1"), "from another loop")
        page = await client.timeline(client.conversation(Person("DR-1")))
        await ward.close()
        return [message.text for message in page.messages]

    ward, client = asyncio.run(first())
    assert asyncio.run(second(ward, client)) == ["from another loop"]


def test_a_transport_whose_loop_is_gone_is_a_network_that_is_gone(tmp_path: Path) -> None:
    from test_host import Carrier
    from wardline import NetworkError

    async def first() -> tuple[Ward, Client]:
        ward = await open_ward(tmp_path)
        carrier = Carrier(ward.relay.transport())
        return ward, (await ward.enroll("NS-1", transport=carrier)).client

    async def second(ward: Ward, client: Client) -> None:
        with pytest.raises(NetworkError):
            await asyncio.wait_for(client.sync_once(), 20)
        await ward.close()

    ward, client = asyncio.run(first())
    asyncio.run(second(ward, client))


def test_two_loops_at_once_in_two_threads(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    async def live(folder: Path) -> None:
        ward = await open_ward(folder)
        from test_host import Carrier

        nurse = await ward.enroll("NS-1", transport=Carrier(ward.relay.transport()))
        doctor = await ward.enroll("DR-1")
        await nurse.client.send(Person("DR-1"), "hello")
        await ward.settle(nurse, doctor)
        assert await doctor.texts("NS-1") == ["hello"]
        await ward.close()

    def work(name: str) -> None:
        try:
            asyncio.run(live(tmp_path / name))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


async def test_the_last_reference_may_go_on_another_thread(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    nurse.client.start()
    client = [nurse.client]
    ward._devices.clear()
    del nurse
    thread = threading.Thread(target=client.clear)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_forked_process_is_told_so(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            is_enrolled(nurse.config.folder)
            answer = b"nothing"
        except ForkedError as error:
            answer = error.code.encode()
        except BaseException as error:
            answer = repr(error).encode()
        os.write(writer, answer)
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 200) == b"WL-FORKED"
    os.waitpid(child, 0)
    # And the parent goes on.
    await nurse.client.send(Person("DR-1"), "parent")
    assert await nurse.texts("DR-1") == ["parent"]


def test_a_forked_process_that_ends_by_itself_ends_well() -> None:
    done = run(
        """
        async def main(folder):
            ward = await open_ward(folder)
            return ward, await ward.enroll("NS-1")

        kept = asyncio.run(main(Path(tempfile.mkdtemp())))
        child = os.fork()
        if child == 0:
            sys.exit(0)
        _, status = os.waitpid(child, 0)
        print("child", os.waitstatus_to_exitcode(status))
        """
    )
    assert (done.returncode, done.stdout) == (0, "child 0\n"), done.stderr


def test_a_passphrase_wipes_what_it_was_made_from() -> None:
    typed = bytearray(b"correct horse")
    Passphrase(typed)
    assert typed == b"\0" * len(typed)


def test_a_process_that_ends_while_it_writes_ends_well() -> None:
    for milliseconds in (5, 20, 40):
        done = run(
            f"""
            async def main(folder):
                ward = await open_ward(folder)
                nurse = await ward.enroll("NS-1")
                nurse.client.start()
                sending = [
                    asyncio.create_task(nurse.client.send(Person("DR-1"), "goodbye " * 200))
                    for _ in range(300)
                ]
                await asyncio.sleep({milliseconds / 1000})
                return ward, nurse, sending

            kept = asyncio.run(main(Path(tempfile.mkdtemp())))
            print("ended")
            """
        )
        assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr
