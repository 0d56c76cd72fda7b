"""The organization's signing side: for backends, and for QA.

An :class:`Authority` keeps the directory of people, teams and devices, mints enrollment tickets and
publishes. Its state is bytes for the backend's own storage (:meth:`Authority.snapshot`); its keys
(:class:`AuthoritySecrets`) are kept apart from it.
"""

from __future__ import annotations

import abc
import asyncio
import enum
import os
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ._bridge import do, host_loop, native, run
from ._times import maybe_time, native_time, time
from .host import Transport, _log, _on, native_transport


@dataclass(frozen=True, slots=True)
class StaffRole:
    """A person's standing function, as the EHR names it."""

    code: str
    display: str
    department: str = ""


@dataclass(frozen=True, slots=True)
class PersonDetails:
    """What is known of a person besides their devices."""

    user: str
    display_name: str = field(repr=False)
    fhir_references: tuple[str, ...] = ()
    staff_roles: tuple[StaffRole, ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A device in the directory."""

    device: str
    enrolled_at: datetime
    revoked_at: datetime | None
    #: Whether it is the person's first one, or a chain of vouches leads to it from there.
    vouched: bool


@dataclass(frozen=True, slots=True)
class PersonInfo:
    """A person in the directory, with changes that are not published yet."""

    details: PersonDetails
    active: bool
    devices: tuple[DeviceInfo, ...]


@dataclass(frozen=True, slots=True)
class WipeStatus:
    """An order to a device to erase itself, and whether it has obeyed."""

    device: str
    reason: str
    ordered_at: datetime
    #: When the device erased itself, by its own clock; ``None`` while it was not heard from.
    wiped_at: datetime | None
    #: Messages that were lost with it: written there, and not taken by the relay.
    unsent_messages: int | None


@dataclass(frozen=True, slots=True)
class TeamMember:
    """One person in a care team, and their function in it."""

    user: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class CareTeam:
    """A care team. Its name must not tell which patient it is about."""

    team: str
    display_name: str = field(repr=False)
    members: tuple[TeamMember, ...]
    fhir_references: tuple[str, ...] = ()
    active: bool = True


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """One turn of one person. The times are aware of their zone."""

    user: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class RoleLine:
    """A line that people hold in turn, such as ``cardiology-on-call``."""

    role: str
    display_name: str = field(repr=False)
    assignments: tuple[RoleAssignment, ...] = ()
    #: Who is reached when nobody holds it, and hands open items over.
    custodian: str | None = None


class LockScreen(enum.Enum):
    """What a notification may say where anybody can see it. Never a text."""

    #: That there is a message, and how urgent it is.
    TIER = "tier"
    #: Also who wrote it.
    SENDER = "sender"


class Forwarding(enum.Enum):
    """To whom messages may be handed on."""

    #: To anybody in the organization. Every forward is in the audit of the device that makes it.
    ALLOWED = "allowed"
    #: What was written to a care team, to that team and to the people on it; nothing else.
    SAME_TEAM = "same team"
    #: To nobody.
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class LegalHold:
    """Whose messages no device destroys while the policy says so. They are hidden all the same when they are over or
    taken back. The relay and every device of the organization can read who is named here."""

    #: Everybody's.
    everybody: bool = False
    #: What these people wrote, and everything on their devices and in direct conversations with them.
    people: tuple[str, ...] = ()
    #: What was written to these care teams.
    teams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyRules:
    """What an organization allows and demands; change it with :func:`dataclasses.replace`."""

    #: Longest text of one message, in bytes of UTF-8.
    max_text_bytes: int
    #: How often a device asks for a newer head while it is in use.
    head_refresh: timedelta
    #: How long after a head's expiry a device may still seal for what that head says.
    offline_limit: timedelta
    #: For how long after sending an undelivered message may be sealed again.
    reseal_window: timedelta
    #: What a notification may say where anybody can see it.
    lock_screen: LockScreen = LockScreen.TIER
    #: For how long after sending a message may be taken back by its author; zero: never.
    recall_window: timedelta = timedelta(days=1)
    #: For how long after sending a message may be corrected by its author; zero: never.
    amend_window: timedelta = timedelta(days=7)
    #: How often a device gives notice again of a stat message that nobody has accepted; zero: never, otherwise ten
    #: seconds to an hour.
    stat_repeat: timedelta = timedelta(minutes=1)
    #: For how long any message may be read, from when it was written; zero: for as long as its author says.
    max_lifetime: timedelta = timedelta(0)
    #: For how long a message may be read whose author says nothing; zero: for as long as it is kept.
    default_lifetime: timedelta = timedelta(0)
    #: To whom messages may be handed on.
    forwarding: Forwarding = Forwarding.ALLOWED
    #: Whose messages are kept, whatever is over or taken back.
    legal_hold: LegalHold = LegalHold()
    #: How many identifiers of a patient a stat message must carry; two tell patients apart.
    stat_patient_identifiers: int = 0
    #: Codes of the staff roles whose holders may send stat messages; empty: everybody may. From others
    #: they count as urgent.
    stat_roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """A line of an import that was passed over. It quotes nothing of the line."""

    file: str
    line: int
    problem: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did."""

    people_added: int
    people_changed: int
    people_ended: int
    teams_added: int
    teams_changed: int
    skipped_members: int
    problems: tuple[ImportProblem, ...]


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What one round of publishing did."""

    #: Devices that were admitted and published.
    admitted: tuple[str, ...]
    #: How many requests of devices were refused.
    refused: int
    #: The version of the newest head that this round published or found confirmed.
    published: int | None


class StateStore(abc.ABC):
    """Where a backend keeps the authority's state. What was saved must survive a power cut."""

    @abc.abstractmethod
    def save(self, snapshot: bytes) -> Awaitable[None] | None:
        """Replaces the stored snapshot, all of it or nothing."""


class AuthoritySecrets:
    """The root keys and the operational keys of an organization."""

    __slots__ = ("_native",)

    def __init__(self, inside: Any) -> None:
        self._native = inside

    @classmethod
    def generate(cls, root_keys: int = 3) -> AuthoritySecrets:
        """Fresh keys: so many root keys, and one for each purpose."""
        return cls(do(lambda: native.AuthoritySecrets.generate(root_keys)))

    @classmethod
    def load(cls, stored: bytes) -> AuthoritySecrets:
        """Reads stored keys."""
        return cls(do(lambda: native.AuthoritySecrets.load(native.SecretBytes(stored))))

    def store(self) -> bytes:
        """The keys as bytes. They are the secret itself: encrypt them before they are stored."""
        return bytes(do(lambda: self._native.store().copy()))

    def without_root(self) -> AuthoritySecrets:
        """The same without the root keys: what an online authority holds."""
        return AuthoritySecrets(do(self._native.without_root))

    def __repr__(self) -> str:
        return "AuthoritySecrets(...)"


class Authority:
    """An organization's directory with the keys to sign it."""

    def __init__(self, inside: Any) -> None:
        self._native = inside

    @classmethod
    def found(
        cls, organization: str, secrets: AuthoritySecrets, *, threshold: int = 1
    ) -> Authority:
        """Founds an organization: ``threshold`` of the root keys must sign its root documents."""
        keys = secrets._native
        return cls(do(lambda: native.Authority.found(organization, threshold, keys)))

    @classmethod
    def restore(cls, snapshot: bytes, secrets: AuthoritySecrets) -> Authority:
        """Restores a snapshot, with the keys to sign with."""
        keys = secrets._native
        return cls(do(lambda: native.Authority.restore(snapshot, keys)))

    async def snapshot(self) -> bytes:
        """Everything but the keys, as bytes."""
        return bytes(await run(lambda: self._native.snapshot()))

    async def pin(self) -> str:
        """The hash of the first root document: what apps pin."""
        return str(await run(lambda: self._native.pin()))

    async def root_document(self) -> str:
        """The current root document, which tells a relay whom to serve."""
        return str(await run(lambda: self._native.root_document()))

    async def version(self) -> int:
        """The version of the newest head that the relay has; 0 before the first."""
        return int(await run(lambda: self._native.version()))

    async def mint_ticket(self, user: str, *, valid_for: timedelta | None = None) -> str:
        """A one-use ticket for one device of a person whom the caller has authenticated; good for 15
        minutes when not said otherwise. It is a bearer secret."""
        millis = None if valid_for is None else round(valid_for / timedelta(milliseconds=1))
        return str(await run(lambda: self._native.mint_ticket(user, millis)))

    async def rotate(
        self, current: AuthoritySecrets, fresh: AuthoritySecrets, *, threshold: int = 1
    ) -> None:
        """Replaces every key: the root keys of both sign the next root document, and ``threshold`` of
        the fresh ones sign from then on. Apps keep their pin; devices follow with the next head.

        Store ``fresh`` before, and the snapshot after; keep ``current`` until the next :meth:`publish`
        has ended. While a head is on its way it raises ``WL-AUTHORITY-UNSETTLED``: publish first.
        """
        old, new = current._native, fresh._native
        await run(lambda: self._native.rotate(old, new, threshold))

    async def publish(
        self, relay: str, transport: Transport, store: StateStore | None = None
    ) -> PublishReport:
        """Takes in every device that waits at the relay, and publishes a head if one is due.

        The state is handed to ``store`` before the relay can have it. Repeat it from a timer.
        """
        carrier = native_transport(transport)
        keeper = None if store is None else _StoreAdapter(store, asyncio.get_running_loop())
        done = await run(lambda: self._native.publish(relay, carrier, keeper))
        return PublishReport(tuple(done.admitted), done.refused, done.published)

    async def order_wipe(
        self,
        user: str,
        device: str,
        reason: str,
        relay: str,
        transport: Transport,
        store: StateStore | None = None,
    ) -> None:
        """Orders a device of a person to erase itself, as for a phone that was lost, and revokes it.

        The ``reason`` is one word, such as ``lost``. The device obeys with its next call. Call
        :meth:`publish` next, so that nobody goes on writing to it.
        """
        carrier = native_transport(transport)
        keeper = None if store is None else _StoreAdapter(store, asyncio.get_running_loop())
        await run(lambda: self._native.order_wipe(user, device, reason, relay, carrier, keeper))

    async def wipes(self, relay: str, transport: Transport) -> tuple[WipeStatus, ...]:
        """Every wipe order that the relay has, oldest first, with what its device has said. All of it
        is verified."""
        carrier = native_transport(transport)
        found = await run(lambda: self._native.wipes(relay, carrier))
        return tuple(
            WipeStatus(
                one.device,
                one.reason,
                time(one.ordered_at_ms),
                maybe_time(one.wiped_at_ms),
                one.unsent_messages,
            )
            for one in found
        )

    async def upsert_person(self, details: PersonDetails) -> bool:
        """Adds a person, or changes what is known of them. ``False`` when nothing changed."""
        record = native.PersonDetails(
            user=details.user,
            display_name=details.display_name,
            fhir_references=list(details.fhir_references),
            staff_roles=[
                native.StaffRole(code=role.code, display=role.display, department=role.department)
                for role in details.staff_roles
            ],
        )
        return bool(await run(lambda: self._native.upsert_person(record)))

    async def end_person(self, user: str) -> bool:
        """Off-boards a person: every device of theirs is revoked."""
        return bool(await run(lambda: self._native.end_person(user)))

    async def revoke_device(self, user: str, device: str) -> bool:
        """Revokes one device for good."""
        return bool(await run(lambda: self._native.revoke_device(user, device)))

    async def admit_vouch(self, statement: bytes) -> bool:
        """Takes in what :meth:`wardline.Client.vouch` returned on one device of a person about another
        one of theirs. ``False`` when it is recorded already."""
        return bool(await run(lambda: self._native.admit_vouch(statement)))

    async def upsert_team(self, team: CareTeam) -> bool:
        """Adds or replaces a care team. ``False`` when nothing changed."""
        record = native.Team(
            team=team.team,
            display_name=team.display_name,
            members=[native.TeamMember(user=one.user, role=one.role) for one in team.members],
            fhir_references=list(team.fhir_references),
            active=team.active,
        )
        return bool(await run(lambda: self._native.upsert_team(record)))

    async def remove_team(self, team: str) -> bool:
        """Removes a care team. ``False`` when there was none."""
        return bool(await run(lambda: self._native.remove_team(team)))

    async def person(self, user: str) -> PersonInfo | None:
        """A person, with changes that are not published yet."""
        found = await run(lambda: self._native.person(user))
        if found is None:
            return None
        details = found.details
        return PersonInfo(
            details=PersonDetails(
                details.user,
                details.display_name,
                tuple(details.fhir_references),
                tuple(
                    StaffRole(role.code, role.display, role.department)
                    for role in details.staff_roles
                ),
            ),
            active=found.active,
            devices=tuple(
                DeviceInfo(
                    one.device, time(one.enrolled_at_ms), maybe_time(one.revoked_at_ms), one.vouched
                )
                for one in found.devices
            ),
        )

    async def people(self) -> tuple[str, ...]:
        """The ids of everybody who belongs to the organization, sorted."""
        return tuple(await run(lambda: self._native.people()))

    async def teams(self) -> tuple[CareTeam, ...]:
        """The care teams, sorted by id."""
        found = await run(lambda: self._native.teams())
        return tuple(
            CareTeam(
                team.team,
                team.display_name,
                tuple(TeamMember(one.user, one.role) for one in team.members),
                tuple(team.fhir_references),
                team.active,
            )
            for team in found
        )

    async def upsert_role(self, role: RoleLine) -> bool:
        """Adds or replaces a role line. ``False`` when nothing changed."""
        record = native.RoleLine(
            role=role.role,
            display_name=role.display_name,
            assignments=[
                native.RoleAssignment(
                    user=turn.user, from_ms=native_time(turn.start), until_ms=native_time(turn.end)
                )
                for turn in role.assignments
            ],
            custodian=role.custodian,
        )
        return bool(await run(lambda: self._native.upsert_role(record)))

    async def remove_role(self, role: str) -> bool:
        """Removes a role line. ``False`` when there was none."""
        return bool(await run(lambda: self._native.remove_role(role)))

    async def roles(self) -> tuple[RoleLine, ...]:
        """The role lines, sorted by id."""
        found = await run(lambda: self._native.roles())
        return tuple(
            RoleLine(
                role.role,
                role.display_name,
                tuple(
                    RoleAssignment(turn.user, time(turn.from_ms), time(turn.until_ms))
                    for turn in role.assignments
                ),
                role.custodian,
            )
            for role in found
        )

    async def policy(self) -> PolicyRules:
        """The rules that are, or with the next head come, in force."""
        rules = await run(lambda: self._native.policy())
        return PolicyRules(
            rules.max_text_bytes,
            timedelta(seconds=rules.head_refresh_seconds),
            timedelta(seconds=rules.offline_limit_seconds),
            timedelta(seconds=rules.reseal_window_seconds),
            LockScreen(rules.lock_screen.name.lower()),
            timedelta(seconds=rules.recall_window_seconds),
            timedelta(seconds=rules.amend_window_seconds),
            timedelta(seconds=rules.stat_repeat_seconds),
            timedelta(seconds=rules.max_lifetime_seconds),
            timedelta(seconds=rules.default_lifetime_seconds),
            Forwarding[rules.forwarding.name],
            LegalHold(
                rules.legal_hold.everybody,
                tuple(rules.legal_hold.people),
                tuple(rules.legal_hold.teams),
            ),
            rules.stat_patient_identifiers,
            tuple(rules.stat_roles),
        )

    async def set_policy(self, rules: PolicyRules) -> int:
        """Puts other rules in force with the next head; returns the version of the policy that has
        them."""
        record = native.PolicyRules(
            max_text_bytes=rules.max_text_bytes,
            head_refresh_seconds=round(rules.head_refresh.total_seconds()),
            offline_limit_seconds=round(rules.offline_limit.total_seconds()),
            reseal_window_seconds=round(rules.reseal_window.total_seconds()),
            recall_window_seconds=round(rules.recall_window.total_seconds()),
            amend_window_seconds=round(rules.amend_window.total_seconds()),
            stat_repeat_seconds=round(rules.stat_repeat.total_seconds()),
            max_lifetime_seconds=round(rules.max_lifetime.total_seconds()),
            default_lifetime_seconds=round(rules.default_lifetime.total_seconds()),
            forwarding=native.Forwarding[rules.forwarding.name],
            legal_hold=native.LegalHold(
                everybody=rules.legal_hold.everybody,
                people=list(rules.legal_hold.people),
                teams=list(rules.legal_hold.teams),
            ),
            stat_patient_identifiers=rules.stat_patient_identifiers,
            stat_roles=list(rules.stat_roles),
            lock_screen=native.LockScreen[rules.lock_screen.name],
        )
        return int(await run(lambda: self._native.set_policy(record)))

    async def import_fhir(self, folder: str | os.PathLike[str]) -> ImportReport:
        """Takes people and care teams over from a folder of FHIR R4 bulk NDJSON. Nothing that tells of
        a patient is taken."""
        path = os.fspath(folder)
        report = await run(lambda: self._native.import_fhir(path))
        return ImportReport(
            people_added=report.people_added,
            people_changed=report.people_changed,
            people_ended=report.people_ended,
            teams_added=report.teams_added,
            teams_changed=report.teams_changed,
            skipped_members=report.skipped_members,
            problems=tuple(
                ImportProblem(one.file, one.line, one.problem) for one in report.problems
            ),
        )


class _StoreAdapter(native.StateStore):  # type: ignore[misc]
    def __init__(self, store: StateStore, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop
        host_loop()

    async def save(self, snapshot: bytes) -> None:
        try:
            await _on(self._loop, self._store.save, snapshot)
        except Exception as error:
            _log.warning("the state store raised %s", type(error).__name__, exc_info=error)
            raise native.StateStoreError.Failed() from None
