"""What a scenario waits for, in words: a question that can be asked again, and how things stand.

How a ward is driven until it holds is :meth:`wardline.testing.Ward.until`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable


class Condition:
    """Something that holds or does not: hand it to ``ward.until`` or ``ward.holds``.

    ``a & b`` is both, ``~a`` is its opposite.
    """

    def __init__(
        self,
        words: str,
        holds: Callable[[], Awaitable[bool]],
        state: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        #: What is waited for, such as ``Nurse Okafor has read #1``.
        self.words = words
        self._holds = holds
        self._state = state

    async def holds(self) -> bool:
        """Whether it holds now."""
        return await self._holds()

    async def state(self) -> str:
        """How things stand, for whoever reads a failure."""
        if self._state is not None:
            return await self._state()
        return "it holds" if await self._holds() else "it does not hold"

    def __and__(self, other: Condition) -> Condition:
        async def both() -> bool:
            return await self.holds() and await other.holds()

        async def state() -> str:
            return f"{self.words}: {await self.state()}; {other.words}: {await other.state()}"

        return Condition(f"{self.words} and {other.words}", both, state)

    def __invert__(self) -> Condition:
        async def opposite() -> bool:
            return not await self.holds()

        return Condition(f"not: {self.words}", opposite, self._state)

    def __bool__(self) -> bool:
        # `assert nurse.read(message)` would always pass.
        raise TypeError(
            f"{self.words!r} must be asked: `await ward.until(...)` or `assert await ward.holds(...)`"
        )

    def __repr__(self) -> str:
        return f"<{self.words}>"
