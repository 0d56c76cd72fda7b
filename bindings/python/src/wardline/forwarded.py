"""What is handed on, as a value.

How everything else comes out of the native library stands in :mod:`wardline.model`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ._times import maybe_time
from .structured import Structured, structured

if TYPE_CHECKING:
    from .model import Patient


@dataclass(frozen=True, slots=True)
class Forwarded:
    """Somebody else's message inside the one that hands it on."""

    #: Whether the author's signature and directory entry prove who wrote it. Until they do, what follows is the
    #: word of whoever forwards it, and author, device and times are ``None``: show no name.
    proven: bool
    #: Who wrote it.
    author: str | None = field(repr=False)
    #: On which device.
    author_device: str | None = field(repr=False)
    #: When, by the author's clock.
    written_at: datetime | None
    #: When its author corrected it, if the text is that of a correction.
    corrected_at: datetime | None
    #: What it says.
    text: str = field(repr=False)
    #: Its typed fields, when it has any.
    structured: Structured | None = field(repr=False)
    #: Whom it is about.
    patient: Patient | None = field(repr=False)
    #: What whoever forwards it says to it; may be empty.
    comment: str = field(repr=False)


def forwarded(record: Any, patient: Callable[[Any], Patient]) -> Forwarded:
    return Forwarded(
        proven=record.proven,
        author=record.author,
        author_device=record.author_device,
        written_at=maybe_time(record.written_at_ms),
        corrected_at=maybe_time(record.corrected_at_ms),
        text=record.text,
        structured=None if record.structured is None else structured(record.structured),
        patient=None if record.patient is None else patient(record.patient),
        comment=record.comment,
    )
