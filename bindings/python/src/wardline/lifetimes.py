"""For how long messages may be read: as a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ._bridge import native
from ._times import maybe_duration, native_millis


@dataclass(frozen=True, slots=True)
class Lifetime:
    """For how long a message may be read; what is not said has no end."""

    #: So long after it was written, whoever has opened it.
    after_sent: timedelta | None = None
    #: So long after a person has opened it, on any of their devices; on the author's, after everybody it went to has.
    after_read: timedelta | None = None


# From the native library and to it.


def lifetime(record: Any) -> Lifetime:
    return Lifetime(maybe_duration(record.after_sent_ms), maybe_duration(record.after_read_ms))


def native_lifetime(value: Lifetime) -> Any:
    return native.Lifetime(
        after_sent_ms=native_millis(value.after_sent), after_read_ms=native_millis(value.after_read)
    )
