"""Looks for what people wrote, and about whom, in every byte that relay and devices have on disk.

It looks for each secret as it is, in lower case, as UTF-16, in hexadecimal and in base64. What was
encrypted, or compressed, is not found by it: that nothing else leaves a device is shown elsewhere.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Shorter ones would be found by chance.
SHORTEST = 6
#: Words of a text that are looked for one by one, as a search index would hold them.
SHORTEST_WORD = 8


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret that is where it must not be."""

    file: Path
    secret: str
    #: How it was written there.
    form: str


class Secrets:
    """What is looked for."""

    def __init__(self) -> None:
        self._secrets: dict[str, None] = {}
        self._innocent = b""

    def __len__(self) -> int:
        return len(self._secrets)

    def innocent(self, folder: Path) -> None:
        """Takes note of what is on disk before anybody has written: words of a schema are no leak."""
        self._innocent = b"\n".join(data.lower() for _, data in files(folder))

    def add(self, secret: str) -> None:
        """From now on this whole text is looked for, when it is long enough."""
        secret = secret.strip()
        if len(secret.encode()) >= SHORTEST:
            self._secrets[secret] = None

    def add_text(self, text: str) -> None:
        """From now on this text is looked for, and its long words one by one."""
        self.add(text)
        for word in re.findall(r"\w+", text):
            if len(word) >= SHORTEST_WORD and word.lower().encode() not in self._innocent:
                self.add(word)

    def found_in(self, data: bytes) -> Iterator[tuple[str, str]]:
        """The secrets that are in these bytes, with the form they are in."""
        lower = data.lower()
        for secret in self._secrets:
            for form, needle in _forms(secret):
                if needle in (lower if form in _CASELESS else data):
                    yield secret, form

    def control(self) -> bytes:
        """Every secret in every form: whoever looks in this must find them all."""
        forms = (needle for secret in self._secrets for _, needle in _forms(secret))
        return b"\n".join(forms)

    def missed_in_control(self, data: bytes) -> list[str]:
        """The secrets that a search in the control did not find in every form."""
        found = set(self.found_in(data))
        return [
            f"{secret} ({form})"
            for secret in self._secrets
            for form, _ in _forms(secret)
            if (secret, form) not in found
        ]


def files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a folder, with its bytes."""
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file():
                yield path, path.read_bytes()
        except FileNotFoundError:
            # A database removes its log when it is done with it.
            continue


def look(secrets: Secrets, folder: Path) -> tuple[int, list[Leak]]:
    """How many bytes were searched below a folder, and what was found."""
    searched, leaks = 0, []
    for path, data in files(folder):
        searched += len(data)
        leaks += [Leak(path, secret, form) for secret, form in secrets.found_in(data)]
    return searched, leaks


_CASELESS = ("as text", "in hexadecimal")


def _forms(secret: str) -> Iterator[tuple[str, bytes]]:
    utf8 = secret.encode()
    yield "as text", utf8.lower()
    yield "as UTF-16", secret.encode("utf-16-le")
    yield "in hexadecimal", utf8.hex().encode()
    # Where the text begins in what was encoded decides how it looks: the ends are cut off.
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + utf8)
        first, last = (0, 2, 3)[offset], len(encoded) - 4 * bool((offset + len(utf8)) % 3)
        if last - first >= 8:
            yield f"in base64 ({offset})", encoded[first:last]
