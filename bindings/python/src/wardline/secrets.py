"""Secrets as objects that wipe themselves."""

from __future__ import annotations

from typing import Any

from ._bridge import do, native


class Passphrase:
    """What a person types to read. May be used for several calls.

    Python cannot wipe a ``str``: pass a ``bytearray`` of UTF-8 and it is emptied.
    """

    __slots__ = ("_native",)

    def __init__(self, text: str | bytes | bytearray) -> None:
        utf8 = text.encode() if isinstance(text, str) else bytes(text)
        self._native: Any = do(lambda: native.Passphrase(utf8))
        if isinstance(text, bytearray):
            text[:] = b"\0" * len(text)

    def wipe(self) -> None:
        """Wipes it now. Calls that are given it afterwards refuse it as empty."""
        do(self._native.wipe)

    def __repr__(self) -> str:
        return "Passphrase(...)"
