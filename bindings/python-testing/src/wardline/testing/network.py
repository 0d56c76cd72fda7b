"""Networks as hospitals have them: named profiles, and the switches of one device's network.

What a fault does to a call is the library's concern; which calls meet one follows from the seed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from types import MappingProxyType

from wardline.host import Transport

from .box import FaultPlan, FaultyNetwork


@dataclass(frozen=True, slots=True)
class Profile:
    """A network that a device may be on."""

    name: str
    #: What it is like, for whoever reads a list of them.
    like: str
    #: What calls meet while the device has a connection.
    plan: FaultPlan
    #: In how many rounds of a hundred there is no connection at all.
    away: int = 0


def _delay(shortest: int, longest: int) -> tuple[timedelta, timedelta]:
    return timedelta(milliseconds=shortest), timedelta(milliseconds=longest)


_KNOWN = (
    Profile("perfect", "no faults", FaultPlan()),
    Profile("ward Wi-Fi", "a little slow, nothing lost", FaultPlan(delay=_delay(1, 20))),
    Profile(
        "basement Wi-Fi",
        "weak: calls and answers get lost, everything is slow",
        FaultPlan(lose_requests=25, lose_answers=15, delay=_delay(5, 60)),
    ),
    Profile(
        "elevator",
        "comes and goes: no connection in most rounds, and answers are lost as the doors close",
        FaultPlan(lose_answers=20),
        away=60,
    ),
    Profile(
        "hospital proxy",
        "in between: sends calls twice, cuts answers short, loses some, is slow",
        FaultPlan(duplicate=15, truncate=10, lose_answers=8, delay=_delay(10, 60)),
    ),
    Profile(
        "roaming",
        "from one access point to the next: calls overtake each other and come twice",
        FaultPlan(reorder=20, duplicate=10, lose_answers=5),
    ),
    Profile(
        "damaged line",
        "bits are flipped and answers end early",
        FaultPlan(flip_bits=20, truncate=15),
    ),
    Profile("airplane mode", "no connection at all", FaultPlan(), away=100),
)

#: The networks that have a name.
PROFILES: Mapping[str, Profile] = MappingProxyType({one.name: one for one in _KNOWN})


class Network:
    """The network of one device."""

    def __init__(self, behind: Transport, seed: int, note: Callable[[str], None]) -> None:
        self._line = FaultyNetwork(behind)
        self._seed = seed
        self._random = Random(seed)
        self._note = note
        self._profile = PROFILES["perfect"]
        self._is_cut = False
        self._changes = 0

    @property
    def transport(self) -> Transport:
        """What carries the calls of the device."""
        return self._line

    @property
    def is_cut(self) -> bool:
        """Whether no call comes through, until somebody changes that."""
        return self._is_cut or self._profile.away >= 100

    @property
    def is_luck(self) -> bool:
        """Whether the same call may fail now and come through later."""
        return not self.is_cut and (self._profile.plan != FaultPlan() or self._profile.away > 0)

    @property
    def calls(self) -> int:
        """How many calls the device made."""
        return self._line.calls

    def be(self, profile: str | Profile | FaultPlan) -> None:
        """From now on the device is on this network: the name of a profile, or faults of your own."""
        if isinstance(profile, FaultPlan):
            profile = Profile("faults of the test's own", "", profile)
        elif isinstance(profile, str):
            profile = _named(profile)
        self._note(f"is on the network: {profile.name}")
        self._profile = profile
        self._is_cut = False
        self._apply()

    def cut(self) -> None:
        """No call comes through."""
        self._note("loses its network")
        self._is_cut = True
        self._line.cut()

    def mend(self) -> None:
        """Calls come through again, and meet nothing."""
        self._note("has its network back")
        self._is_cut = False
        self._profile = PROFILES["perfect"]
        self._line.mend()

    def _silence(self) -> None:
        """Cuts without a word: the device is gone."""
        self._line.cut()

    def _apply(self) -> None:
        if self.is_cut:
            self._line.cut()
            return
        # Another change is another run of bad luck, and still the same one for the same seed.
        self._changes += 1
        self._line.set_plan(self._profile.plan, seed=self._seed + 2 * self._changes)

    def _turn(self) -> None:
        """A round begins: a network that comes and goes may be there or not."""
        away = self._profile.away
        if self._is_cut or not 0 < away < 100:
            return
        if self._random.randrange(100) < away:
            self._line.cut()
        else:
            self._apply()


def _named(name: str) -> Profile:
    if (found := PROFILES.get(name)) is not None:
        return found
    near = difflib.get_close_matches(name, PROFILES, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"there is no network {name!r}{hint} There are: {', '.join(PROFILES)}")
