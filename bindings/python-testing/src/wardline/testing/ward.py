"""A whole ward in a box: an organization, its relay, devices, one clock; driven until something holds.

What a person does with a device is :mod:`wardline.testing.device`; what a network does to one is
:mod:`wardline.testing.network`.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from types import TracebackType

from wardline.authority import (
    Authority,
    AuthoritySecrets,
    CareTeam,
    ImportReport,
    PersonDetails,
    RoleAssignment,
    RoleLine,
    TeamMember,
)
from wardline.config import Config, PassphraseCost
from wardline.errors import WardlineError
from wardline.events import DeliveryChanged, Event
from wardline.host import KeyStore, Transport, file_key_store
from wardline.model import Patient, Person, Priority, Recipient, Role, Team
from wardline.secrets import Passphrase

from . import assertions, hospital, leaks, recipients
from .assertions import Assertion
from .box import Clock, Relay, enroll, found
from .condition import Condition
from .device import PASSPHRASE, Device, Participant, Sent
from .invitation import Invitation
from .network import Network, Profile
from .timeline import TimeLine, failure_in_words, in_words

ORGANIZATION = "mercy"
RELAY = "relay.mercy.example"
#: When the day begins: the same in every run, so that two time lines can be compared.
MORNING = datetime(2025, 3, 3, 7, 0, tzinfo=timezone.utc)
#: How much of the ward's time a round takes.
ROUND = timedelta(seconds=1)
#: After so many rounds of every device in which it had nothing to do, nothing will change any more.
AT_REST = 12
#: What passes, and how often, when devices only wait for a time at which to ask again.
PAUSE, MOST_PAUSES = timedelta(minutes=10), 10


class Ward:
    """An organization, its relay, devices in this process, and one clock for all of them."""

    def __init__(self, folder: Path, seed: int, clock: Clock, authority: Authority) -> None:
        self.folder = folder
        #: What bad luck follows from: networks, :attr:`random`, patients.
        self.seed = seed
        #: For a scenario's own choices.
        self.random = Random(seed)
        #: The time of relay, authority and devices. It moves on by a second in every round.
        self.clock = clock
        #: The organization's signing side.
        self.authority = authority
        #: The devices in this process, in the order in which they were enrolled.
        self.devices: list[Device] = []
        #: The patients of the hospital.
        self.patients: tuple[Patient, ...] = ()
        self.pin = ""
        self._relay: Relay | None = None
        self._names: dict[str, str] = {}
        self._has_hospital = False
        self._written: list[Sent] = []
        self._secrets = leaks.Secrets()
        self._line = TimeLine()
        self._idle: Counter[Device] = Counter()
        self._waiting: Counter[Device] = Counter()
        self._pauses = 0
        self._assertions: list[Assertion] = []
        self._url: str | None = None
        self._running_clock: asyncio.Task[None] | None = None
        self._with_guests = False
        self._uploads_when_admitted = 0

    @classmethod
    async def opened(cls, folder: str | os.PathLike[str], *, seed: int | None = None) -> Ward:
        """Opens a ward on an empty folder. Close it, or take :meth:`open`."""
        place = Path(folder)
        clock = Clock(MORNING)
        authority = found(ORGANIZATION, AuthoritySecrets.generate(root_keys=1), clock=clock)
        seed = int.from_bytes(os.urandom(4), "big") if seed is None else seed
        ward = cls(place, seed, clock, authority)
        documents = [await authority.root_document()]
        ward._relay = await Relay.open(place / "relay", RELAY, documents, clock=clock)
        ward.pin = await authority.pin()
        await ward.publish()
        return ward

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, seed: int | None = None) -> _Opening:
        """Opens a ward for the length of an ``async with``."""
        return _Opening(folder, seed)

    @property
    def relay(self) -> Relay:
        """The relay."""
        assert self._relay is not None
        return self._relay

    # Who is there.

    @property
    def people(self) -> dict[str, str]:
        """Everybody's name, by id."""
        return dict(self._names)

    async def import_hospital(self, folder: str | os.PathLike[str]) -> ImportReport:
        """Takes people and care teams from a folder of FHIR R4 NDJSON; its patients are for scenarios
        to write about. From then on devices belong to people of this hospital."""
        report = await self.authority.import_fhir(folder)
        self._has_hospital = True
        for user in await self.authority.people():
            person = await self.authority.person(user)
            if person is not None and person.active:
                self._names[user] = person.details.display_name
        self.patients = hospital.patients(Path(folder))
        await self.publish()
        self._note("ward", f"has {len(self._names)} people and {len(self.patients)} patients")
        return report

    def patient(self, name: str | None = None) -> Patient:
        """A patient of the hospital, by name or by chance; a made-up one where there is no hospital."""
        if not self.patients:
            return hospital.made_up_patient(self.random.randrange(1000))
        if name is None:
            return self.random.choice(self.patients)
        return next(one for one in self.patients if name.casefold() in one.name.casefold())

    async def device(
        self,
        who: str,
        *,
        network: str | Profile = "perfect",
        carried_by: Callable[[Transport], Transport] | None = None,
        key_store: KeyStore | None = None,
    ) -> Device:
        """Enrolls a device of somebody: unlocked, listed, and on a network.

        ``who`` is an id or a name of the hospital; without a hospital anybody may come. ``carried_by``
        puts a transport of your own in front of the network, ``key_store`` guards its keys.
        """
        user = await self._person(who)
        number = len(self.devices) + 1
        others = sum(device.user == user for device in self.devices)
        name = self._names[user] + (f" ({others + 1})" if others else "")
        line = Network(
            self.relay.transport(), self.seed * 1009 + number, lambda what: self._note(name, what)
        )
        config = Config(
            folder=self.folder / f"device-{number}",
            organization=ORGANIZATION,
            root=self.pin,
            relay=RELAY,
            transport=carried_by(line.transport) if carried_by else line.transport,
            key_store=key_store or file_key_store(self.folder / f"device-{number}.keys"),
            passphrase_cost=PassphraseCost(19 * 1024, 2, 1),
        )
        client = await enroll(
            config,
            user,
            ticket=await self.authority.mint_ticket(user),
            passphrase=Passphrase(PASSPHRASE),
            clock=self.clock,
            label=f"device {number}",
        )
        device = Device(self, user, name, client, config, line)
        self.devices.append(device)
        await self.publish()
        await client.sync_once()
        self._note(name, "has enrolled")
        if network != "perfect":
            line.be(network)
        return device

    async def team(self, name: str, *members: Participant) -> Team:
        """A care team of these people, for ``send``; asked again with others, it has the others."""
        team = hospital.id_for(name)
        users = dict.fromkeys(member.user for member in members)
        await self.authority.upsert_team(
            CareTeam(team, name, tuple(TeamMember(user) for user in users))
        )
        await self.publish()
        return Team(team)

    async def role(
        self,
        name: str,
        *holders: Participant,
        hours: int = 12,
        custodian: Participant | None = None,
    ) -> Role:
        """A role that these people hold for so many hours from now, for ``send``; asked again with others, it has
        the others. Devices learn of it when they next ask for the directory."""
        role = hospital.id_for(name)
        start, end = self.clock.now, self.clock.now + timedelta(hours=hours)
        users = dict.fromkeys(holder.user for holder in holders)
        await self.authority.upsert_role(
            RoleLine(
                role,
                name,
                tuple(RoleAssignment(user, start, end) for user in users),
                None if custodian is None else custodian.user,
            )
        )
        await self.publish()
        return Role(role)

    async def revoke(self, device: Device) -> None:
        """The organization revokes a device for good."""
        await self.authority.revoke_device(device.user, device.id)
        await self.publish()
        self._note(device.name, "is revoked by the organization")

    async def publish(self) -> tuple[str, ...]:
        """Admits every device that waits, and publishes what the organization has changed. Returns the
        devices that were admitted."""
        return (await self.authority.publish(RELAY, self.relay.transport())).admitted

    # Apps in other processes.

    async def listen(self, port: int = 0) -> str:
        """Puts the relay on a port of this machine, so that apps in other processes can join, and
        returns its address. The ward's clock shows the system's time from now on, and runs: call it
        before the first device is enrolled."""
        if self._url is not None:
            return self._url
        if self.devices:
            raise RuntimeError("call `await ward.listen()` before the first device is enrolled")
        self.clock.set(datetime.now(timezone.utc))
        self._running_clock = asyncio.create_task(self._run_clock())
        await self.publish()
        self._url = await self.relay.listen(port)
        self._note("ward", f"listens on {self._url}")
        return self._url

    async def invite(self, who: str) -> Invitation:
        """What an app in another process needs to enroll a device of somebody. The ward lists the
        device as soon as it asks, in ``until``: wait for ``invitation.person.joined()``."""
        url = await self.listen()
        user = await self._person(who)
        await self.publish()
        self._with_guests = True
        person = Participant(self, user, f"{self._names[user]}'s app")
        ticket = await self.authority.mint_ticket(user)
        self._note(person.name, "is invited")
        return Invitation(url, ORGANIZATION, self.pin, RELAY, user, ticket, person)

    # Until something holds.

    async def until(
        self, condition: Condition, *, within: timedelta = timedelta(seconds=60)
    ) -> None:
        """Lets every device send and fetch, round after round, until something holds.

        Fails as soon as nobody has anything to do any more, and when it takes longer than ``within`` of
        real time: a bound for what hangs, not a measure. When all that is left is a device that asks
        again later (for keys that came damaged, say), the ward's time passes, ten minutes at a time.
        """
        self._idle.clear()
        self._pauses = 0
        try:
            async with asyncio.timeout(within.total_seconds()):
                while not await condition.holds():
                    await self._round()
                    if self._rests(AT_REST) and not self._lets_time_pass():
                        why = "and nobody has anything to do any more"
                        break
                else:
                    self._note("ward", condition.words)
                    return
        except TimeoutError:
            why = f"within {within.total_seconds():.0f} s"
        await self._listen()
        raise AssertionError(f"not so: {condition.words}, {why}: {await condition.state()}")

    async def holds(self, condition: Condition) -> bool:
        """Whether something holds now; nothing is sent or fetched for it."""
        return await condition.holds()

    async def at_rest(self, *, within: timedelta = timedelta(seconds=60)) -> None:
        """Lets every device send and fetch until nobody has anything to do any more: then look at what
        must *not* have happened."""
        self._idle.clear()
        async with asyncio.timeout(within.total_seconds()):
            await self._round()
            while not self._rests(AT_REST // 4):
                await self._round()

    def passes(self, time: timedelta) -> None:
        """Time passes for relay and devices."""
        self.clock.advance(time)
        self._note("ward", f"{time} later")

    # What must hold.

    def assert_exactly_once(self, message: Sent) -> Assertion:
        """Every device that a message is for shows it once, and no other shows it at all. Await it."""
        return self._assertion(
            f"ward.assert_exactly_once({message.name})",
            lambda: assertions.exactly_once(message, self._running(), self._written),
        )

    def assert_nothing_leaked(self) -> Assertion:
        """No text, patient name or identifier that went through the ward is in any file of relay or
        devices. Await it."""
        return self._assertion(
            "ward.assert_nothing_leaked()",
            lambda: assertions.nothing_leaked(
                self._secrets, self.folder, self.devices, self._written
            ),
        )

    def keep_secret(self, *words: str) -> None:
        """Looks for these as well when nothing must have leaked: what an app in another process wrote."""
        for word in words:
            self._secrets.add_text(word)

    def time_line(self) -> str:
        """What happened and what each device saw of it, as a table."""
        return f"seed {self.seed}\n{self._line}"

    async def close(self) -> None:
        """Closes every device and the relay; fails when an assertion was never awaited."""
        if self._running_clock is not None:
            self._running_clock.cancel()
        for device in self.devices:
            await device.close()
        await self.relay.stop()
        assertions.all_awaited(self._assertions)

    # Inside.

    async def _round(self) -> None:
        """One round of every device."""
        if self._running_clock is None:
            self.clock.advance(ROUND)
            # What is held is released by the relay's clock, which is the ward's.
            await self.relay.release_due()
        if self._with_guests:
            uploads = self._uploads()
            if await self.publish():
                self._uploads_when_admitted = uploads
        moved = False
        for device in self._running():
            device.network._turn()
            try:
                done = await device.client.sync_once()
            except WardlineError as error:
                self._line.failed(self.clock.now, device.name, failure_in_words(error.code))
                # Bad luck, of which damaged answers are a part: another round may do better. Where
                # there is no network, or nothing wrong with it, or no place for the device, none will.
                revoked = error.code == "WL-RELAY-REVOKED"
                self._idle[device] += revoked or not device.network.is_luck
                continue
            moved |= bool(done.posted or done.received)
            self._idle[device] += 1
            self._waiting[device] = done.waiting
        moved |= await self._listen()
        if moved:
            self._idle.clear()
        else:
            # Loops of devices that were started, and other processes, have their own pace.
            await asyncio.sleep(0.02)

    def _lets_time_pass(self) -> bool:
        """Whether somebody waits for a time at which to ask again; then it comes."""
        waits = any(self._waiting[device] for device in self._running())
        if not waits or self._running_clock is not None or self._pauses >= MOST_PAUSES:
            return False
        self._pauses += 1
        self._idle.clear()
        self.passes(PAUSE)
        return True

    def _rests(self, rounds: int) -> bool:
        """Whether every device has had so many rounds with nothing to do since anybody had something."""
        if self._with_guests:
            return False
        return all(self._idle[device] >= rounds for device in self._running())

    async def _listen(self) -> bool:
        """Writes down what devices have seen since the last time; whether there was anything."""
        heard = False
        for device in self._running():
            with suppress(WardlineError):
                while batch := await device.client.events_from(device._cursor, limit=500):
                    for event in batch:
                        if words := await self._words(device, event):
                            self._line.add(event.at, device.name, words)
                    device._cursor = batch[-1].cursor
                    heard = True
        return heard

    async def _words(self, device: Device, event: Event) -> str | None:
        words = in_words(event, self._name)
        if isinstance(event, DeliveryChanged):
            # The event says that there is news; what it is stands with the message.
            for one in await device.client.deliveries(event.message):
                if one.user == event.user:
                    return f"{words}: {one.state.value}"
        return words

    def _uploads(self) -> int:
        """How often devices have offered keys at the relay."""
        line = 'wardline_relay_calls_total{method="UploadKeys",code="ok"} '
        rows = self.relay.metrics().splitlines()
        return sum(int(float(row.removeprefix(line))) for row in rows if row.startswith(line))

    def _running(self) -> list[Device]:
        return [device for device in self.devices if device.runs]

    async def _run_clock(self) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(0.05)
            now = loop.time()
            self.clock.advance(timedelta(seconds=now - last))
            last = now

    async def _person(self, who: str) -> str:
        if self._has_hospital:
            return hospital.find_person(who, self._names)
        user = hospital.id_for(who)
        if user not in self._names:
            self._names[user] = who
            await self.authority.upsert_person(PersonDetails(user, who))
            await self.publish()
        return user

    def _user(self, who: str) -> str:
        return hospital.find_person(who, self._names)

    def _will_write(self, text: str, patient: Patient | None) -> None:
        if not self._written and not len(self._secrets):
            self._secrets.innocent(self.folder)
        self._secrets.add_text(text)
        for secret in hospital.secrets_of(patient) if patient is not None else ():
            self._secrets.add(secret)

    async def _wrote(
        self,
        author: Device,
        message: str,
        recipient: Recipient,
        text: str,
        priority: Priority,
        patient: Patient | None,
    ) -> Sent:
        reference = f"{author.id}/{message}"
        for known in self._written:
            if known.reference == reference:  # The same once more, by its idempotency key.
                return known
        users = await recipients.users_of(recipient, self.authority, self.clock.now)
        name = f"#{len(self._written) + 1}"
        sent = Sent(
            name, message, reference, author, recipient, users, text, patient, self.clock.now
        )
        self._written.append(sent)
        to = ", ".join(self._names.get(user, user) for user in users)
        to = to if isinstance(recipient, Person) else recipients.words(recipient)
        short = text if len(text) <= 40 else f"{text[:39]}…"
        author._note(f"writes {name} to {to} ({priority.value}): {short!r}")
        return sent

    def _name(self, named: str) -> str:
        for one in self._written:
            if named in (one.reference, one.id):
                return one.name
        return self._names.get(named) or f"message …{named[-6:]}"

    def _note(self, who: str, what: str) -> None:
        self._line.add(self.clock.now, who, what)

    def _assertion(self, words: str, check: Callable[[], object]) -> Assertion:
        async def with_news() -> None:
            await self._listen()
            await check()  # type: ignore[misc]

        made = Assertion(words, with_news)
        self._assertions.append(made)
        return made


class _Opening:
    def __init__(self, folder: str | os.PathLike[str], seed: int | None) -> None:
        self._folder, self._seed = folder, seed
        self._ward: Ward | None = None

    async def __aenter__(self) -> Ward:
        self._ward = await Ward.opened(self._folder, seed=self._seed)
        return self._ward

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._ward is not None:
            try:
                await self._ward.close()
            except AssertionError:
                # Whatever failed first is what to look at.
                if error is None:
                    raise

