"""What a device is opened with."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ._bridge import do, native
from ._times import native_millis
from .host import KeyStore, Transport


@dataclass(frozen=True, slots=True)
class PassphraseCost:
    """What one guess at a passphrase costs (Argon2id)."""

    #: At least 19,456.
    memory_kib: int
    #: At least 2.
    passes: int
    #: At least 1.
    lanes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Where a device is, whom it believes, and what carries its calls and wraps its keys."""

    #: The device's own folder, made when there is none; one for each person and device.
    folder: str | os.PathLike[str]
    #: The organization's id.
    organization: str
    #: The hash of the organization's first root document, shipped with the app.
    root: str
    #: The relay's name, as its operator set it.
    relay: str
    #: Carries calls to the relay.
    transport: Transport = field(repr=False)
    #: Wraps the keys at rest.
    key_store: KeyStore = field(repr=False)
    #: What a passphrase costs to try, for new devices; the recommended cost when not given.
    passphrase_cost: PassphraseCost | None = None
    #: How long the transport may take for one call; 75 seconds when not given.
    transport_timeout: timedelta | None = None
    #: How long the key store may take for one call; two minutes when not given.
    key_store_timeout: timedelta | None = None


def is_enrolled(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds an enrolled device."""
    return bool(do(lambda: native.is_enrolled(os.fspath(folder))))


def native_config(config: Config) -> Any:
    cost = config.passphrase_cost
    return native.ClientConfig(
        folder=os.fspath(config.folder),
        organization=config.organization,
        root=config.root,
        relay=config.relay,
        passphrase_cost=None
        if cost is None
        else native.PassphraseCost(
            memory_kib=cost.memory_kib, passes=cost.passes, lanes=cost.lanes
        ),
        transport_timeout_ms=native_millis(config.transport_timeout),
        key_store_timeout_ms=native_millis(config.key_store_timeout),
    )
