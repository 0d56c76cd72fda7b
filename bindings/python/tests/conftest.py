"""A small ward for the tests of this package: one organization, one relay, devices on disk."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio
from wardline import (
    Client,
    Config,
    KeyStore,
    Message,
    Passphrase,
    PassphraseCost,
    Person,
    Transport,
    file_key_store,
)
from wardline.authority import Authority, AuthoritySecrets, CareTeam, PersonDetails, TeamMember
from wardline.testing import FaultyNetwork, Relay

RELAY = "relay.mercy.example"
PEOPLE = ("NS-1", "DR-1")
WORDS = "correct horse battery staple"


@dataclasses.dataclass
class Device:
    """One device, and everything needed to open it again."""

    client: Client
    config: Config
    network: FaultyNetwork | None

    async def texts(self, other: str) -> list[str]:
        conversation = self.client.conversation(Person(other))
        return [message.text for message in (await self.client.timeline(conversation)).messages]

    async def newest(self, other: str) -> Message:
        conversation = self.client.conversation(Person(other))
        return (await self.client.timeline(conversation)).messages[-1]


class Ward:
    def __init__(
        self,
        folder: Path,
        authority: Authority,
        secrets: AuthoritySecrets,
        relay: Relay,
        pin: str,
    ) -> None:
        self.folder = folder
        self.authority = authority
        self.secrets = secrets
        self.relay = relay
        self.pin = pin
        self._devices: list[Device] = []

    def config(
        self, name: str, transport: Transport, key_store: KeyStore | None = None, **more: Any
    ) -> Config:
        return Config(
            folder=self.folder / name,
            organization="mercy",
            root=self.pin,
            relay=RELAY,
            transport=transport,
            key_store=key_store or file_key_store(self.folder / f"{name}.keys"),
            passphrase_cost=PassphraseCost(19 * 1024, 2, 1),
            **more,
        )

    async def enroll(self, user: str, **options: Any) -> Device:
        """Enrolls a device, publishes it and lets it offer its keys."""
        network = None
        transport = options.pop("transport", None)
        if transport is None:
            transport = network = FaultyNetwork(self.relay.transport())
        name = f"device-{len(self._devices) + 1}"
        config = self.config(name, transport, **options)
        ticket = await self.authority.mint_ticket(user)
        client = await Client.enroll(
            config, user, ticket=ticket, passphrase=Passphrase(WORDS), label="test"
        )
        device = Device(client, config, network)
        self._devices.append(device)
        await self.publish()
        await client.sync_once()
        return device

    async def reopen(self, device: Device, **changes: Any) -> None:
        """Closes a device if it is open, and opens it again, locked."""
        await device.client.close()
        device.config = dataclasses.replace(device.config, **changes)
        device.client = await Client.open(device.config)

    async def publish(self) -> None:
        await self.authority.publish(RELAY, self.relay.transport())

    async def settle(self, *devices: Device) -> None:
        for _ in range(2):
            for device in devices:
                await device.client.sync_once()

    async def close(self) -> None:
        for device in self._devices:
            await device.client.close()
        await self.relay.stop()


async def open_ward(folder: Path) -> Ward:
    secrets = AuthoritySecrets.generate(root_keys=1)
    authority = Authority.found("mercy", secrets)
    for user in PEOPLE:
        await authority.upsert_person(PersonDetails(user, f"Person {user}"))
    members = tuple(TeamMember(user) for user in PEOPLE)
    await authority.upsert_team(CareTeam("team-1", "Care team", members))
    relay = await Relay.open(folder / "relay", RELAY, [await authority.root_document()])
    ward = Ward(folder, authority, secrets, relay, await authority.pin())
    await ward.publish()
    return ward


@pytest_asyncio.fixture
async def ward(tmp_path: Path) -> AsyncIterator[Ward]:
    ward = await open_ward(tmp_path)
    yield ward
    await ward.close()


async def until(holds: Callable[[], Awaitable[bool]], within: float = 20) -> None:
    """Waits until something holds; the events of the library are what usually makes it."""
    async with asyncio.timeout(within):
        while not await holds():
            await asyncio.sleep(0.02)


SHORT = timedelta(milliseconds=400)
