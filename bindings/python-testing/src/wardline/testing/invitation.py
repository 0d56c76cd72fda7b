"""What an app in another process is told, so that it can join the ward.

How the ward listens and admits is :mod:`wardline.testing.ward`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .device import Participant


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an app in another process needs to join the ward."""

    #: Where the relay listens.
    url: str
    organization: str
    #: The hash of the organization's first root document, which an app pins.
    root: str
    #: The relay's name.
    relay: str
    user: str
    #: Good for one device.
    ticket: str = field(repr=False)
    #: Ask it whether the person has joined, has got or has read a message.
    person: Participant
