"""Verifying, offline and with public keys only, who wrote a message that was handed to an outsider.

Making such a file is a device's: :meth:`wardline.Client.export_proof`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ._bridge import do, native
from ._times import time


@dataclass(frozen=True, slots=True)
class ProvenCorrection:
    """A correction by the author of a message."""

    #: On which device of theirs.
    device: str
    #: When, by that device's clock.
    written_at: datetime
    #: What the message said from then on.
    text: str = field(repr=False)
    #: Why; may be empty.
    reason: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProvenMessage:
    """What a proof that holds says."""

    #: The organization that stands behind the author's device.
    organization: str
    #: Who wrote it.
    author: str = field(repr=False)
    #: What the organization calls them.
    display_name: str = field(repr=False)
    #: On which device.
    device: str
    #: What that calls itself.
    device_label: str = field(repr=False)
    #: When, by the author's clock.
    written_at: datetime
    #: What it said first; of a type other than a text, what anybody can read of it.
    text: str = field(repr=False)
    #: What it was corrected to, in the order in which the corrections stand.
    corrections: tuple[ProvenCorrection, ...]
    #: The version of the directory head that it is proven under.
    head_version: int
    #: When that was made, by the authority's clock.
    head_issued_at: datetime


def verify(proof: bytes, root: str) -> ProvenMessage:
    """What a proof says, if it holds for whoever believes the root document with this hash: the one that apps pin,
    or any later one that the proof leads over. Raises :class:`wardline.ProofError` when it does not."""
    found = do(lambda: native.verify_proof(proof, root))
    return ProvenMessage(
        organization=found.organization,
        author=found.author,
        display_name=found.display_name,
        device=found.device,
        device_label=found.device_label,
        written_at=time(found.written_at_ms),
        text=found.text,
        corrections=tuple(
            ProvenCorrection(one.device, time(one.written_at_ms), one.text, one.reason)
            for one in found.corrections
        ),
        head_version=found.head_version,
        head_issued_at=time(found.head_issued_at_ms),
    )
