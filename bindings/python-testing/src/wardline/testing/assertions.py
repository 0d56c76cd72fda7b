"""What must hold for a whole ward, in clinical words.

An assertion that nobody awaited would pass whatever happened; so it is remembered, and the end of the
ward fails for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable
from pathlib import Path
from typing import Any

from wardline.errors import WardlineError

from . import leaks
from .device import Device, Sent, is_for


class Assertion:
    """Await it."""

    def __init__(self, words: str, check: Callable[[], Awaitable[None]]) -> None:
        self.words = words
        self.was_awaited = False
        self._check = check

    def __await__(self) -> Generator[Any, None, None]:
        self.was_awaited = True
        return self._check().__await__()


def all_awaited(assertions: Iterable[Assertion]) -> None:
    """Fails for the first assertion that was never looked at."""
    for assertion in assertions:
        if not assertion.was_awaited:
            raise AssertionError(f"`{assertion.words}` was not awaited, so it checked nothing")


async def exactly_once(
    message: Sent, devices: Iterable[Device], written: Iterable[Sent]
) -> None:
    """Every device that a message is for shows it once, and no other shows it at all. Of one that was taken
    back it shows once that it was, and of one that was corrected what it says now."""
    same = [one for one in written if _alike(one) == _alike(message)]
    wrong: list[str] = []
    receivers = 0
    for device in devices:
        client = device.client
        if client.is_locked:
            raise AssertionError(f"{device.name} is locked: nobody can look; `await device.unlock()`")
        expected = 1 if is_for(message, device) else 0
        receivers += expected and device is not message.author
        shown: Counter[str] = Counter()
        texts = 0
        gone: set[str] = set()
        for conversation in await _conversations(device):
            for found in await device.messages_in(conversation):
                shown[found.reference] += 1
                if found.recalled or found.amended or found.expired_at:
                    gone.add(found.reference)
                    continue
                texts += (found.text, found.sender) == (message.text, message.author.user)
        if shown[message.reference] != expected:
            wrong.append(f"{device.name} shows it {_times(shown[message.reference])}")
        elif texts != len([one for one in same if is_for(one, device) and one.reference not in gone]):
            wrong.append(f"{device.name} shows {message.text!r} {_times(texts)}")
    if wrong:
        raise AssertionError(f"{message.name} must be shown exactly once: {'; '.join(wrong)}")
    if not receivers:
        raise AssertionError(f"no device on the ward is one that {message.name} is for")


async def nothing_leaked(
    secrets: leaks.Secrets, folder: Path, devices: Iterable[Device], written: Iterable[Sent]
) -> None:
    """No text, patient name or identifier is in any file of relay or devices."""
    if not len(secrets):
        raise AssertionError("nothing that is long enough to look for went through the ward")
    # The controls: what is looked for is there for people to see, it is found where it is written on
    # purpose, and relay and devices have files to look into.
    await _is_shown(list(devices), list(written))
    control = folder / "control-of-the-search"
    control.write_bytes(secrets.control())
    try:
        if missed := secrets.missed_in_control(control.read_bytes()):
            raise AssertionError(f"the search itself is broken: it does not find {missed[0]}")
        if not leaks.look(secrets, folder)[1]:
            raise AssertionError("the search itself is broken: it does not look into every file")
    finally:
        control.unlink()
    for place in (folder / "relay", *(Path(device.config.folder) for device in devices)):
        if not any(data for _, data in leaks.files(place)):
            raise AssertionError(f"the search itself is broken: {place.name} has no files")
    searched, found = leaks.look(secrets, folder)
    if found:
        lines = (f"  {leak.file.relative_to(folder)}: {leak.secret!r} {leak.form}" for leak in found)
        raise AssertionError(
            f"{len(found)} leaks in {searched} bytes on disk:\n" + "\n".join(lines)
        )


async def _is_shown(devices: list[Device], written: list[Sent]) -> None:
    for message in written:
        for device in devices:
            if not device.runs:
                continue
            try:
                if await device.client.messages(message.reference):
                    return
            except WardlineError:
                continue
    raise AssertionError(
        "no unlocked device shows any message: unlock one, so that it can be seen that texts were there"
    )


async def _conversations(device: Device) -> list[str]:
    found: list[str] = []
    before = None
    while True:
        page = await device.client.conversations(before=before, size=200)
        found += [one.id for one in page.conversations]
        if (before := page.before) is None:
            return found


def _alike(message: Sent) -> tuple[str, str]:
    return message.author.user, message.text


def _times(count: int) -> str:
    return {0: "not at all", 1: "once", 2: "twice"}.get(count, f"{count} times")
