"""Times between this package and the native library, which counts milliseconds since 1970."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FIRST, _LAST = (
    (datetime(*day, tzinfo=timezone.utc) - _EPOCH) // timedelta(milliseconds=1)
    for day in ((1, 1, 1), (9999, 12, 31))
)


def time(millis: int) -> datetime:
    # A sender says what they like: no time of theirs may make a conversation unreadable.
    return _EPOCH + timedelta(milliseconds=min(max(millis, _FIRST), _LAST))


def native_time(moment: datetime) -> int:
    return round((moment - _EPOCH) / timedelta(milliseconds=1))


def maybe_time(millis: int | None) -> datetime | None:
    return None if millis is None else time(millis)


def maybe_native_time(moment: datetime | None) -> int | None:
    return None if moment is None else native_time(moment)


def native_millis(duration: timedelta | None) -> int | None:
    return None if duration is None else round(duration / timedelta(milliseconds=1))


def maybe_duration(millis: int | None) -> timedelta | None:
    # What no calendar has is longer than anybody waits.
    return None if millis is None else timedelta(milliseconds=min(millis, _LAST))
