"""The pytest plugin: the fixture ``ward``, its seed, and the time line of a scenario that failed.

Scenarios are coroutines: take pytest-asyncio with ``asyncio_mode = "auto"``.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from .ward import Ward

_SEED = pytest.StashKey[int]()
_LOOP = pytest.StashKey[asyncio.AbstractEventLoop]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """What a run can be told."""
    group = parser.getgroup("wardline")
    group.addoption(
        "--ward-seed", type=int, default=None, help="repeat the bad luck of a run that printed this"
    )
    group.addoption(
        "--ward-hospital",
        default=None,
        metavar="FOLDER",
        help="FHIR R4 NDJSON that every ward imports",
    )
    parser.addini("ward_hospital", "FHIR R4 NDJSON that every ward imports, from the root folder")


def pytest_configure(config: pytest.Config) -> None:
    """Draws a seed when none was given."""
    given: int | None = config.getoption("--ward-seed")
    config.stash[_SEED] = int.from_bytes(os.urandom(4), "big") if given is None else given


def pytest_report_header(config: pytest.Config) -> str:
    """Prints the seed where every run shows it."""
    return f"ward: --ward-seed={config.stash[_SEED]}"


@pytest_asyncio.fixture
async def ward(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ward]:
    """A ward in a box; see ``wardline.testing.Ward``."""
    config = request.config
    # Each test has its own bad luck, and the same one in a run of this test alone.
    digest = hashlib.sha256(f"{config.stash[_SEED]} {request.node.nodeid}".encode()).digest()
    async with Ward.open(tmp_path / "ward", seed=int.from_bytes(digest[:4], "big")) as opened:
        folder = config.getoption("--ward-hospital") or config.getini("ward_hospital")
        if folder:
            await opened.import_hospital(config.rootpath / folder)
        request.node.stash[_LOOP] = asyncio.get_running_loop()
        yield opened


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows the time line of a scenario that failed."""
    report = yield
    here = getattr(item, "funcargs", {}).get("ward")
    if report.when == "call" and report.failed and isinstance(here, Ward):
        loop = item.stash.get(_LOOP, None)
        if loop is not None and not loop.is_running() and not loop.is_closed():
            # What devices have seen since the scenario last asked.
            loop.run_until_complete(_last_look(here))
        replay = f"replay with --ward-seed={item.config.stash[_SEED]}"
        report.sections.append(("ward time line", f"{replay}\n{here.time_line()}"))
    return report


async def _last_look(ward: Ward) -> None:
    try:
        async with asyncio.timeout(10):
            await ward._listen()
    except Exception as error:
        ward._note("ward", f"cannot be looked at any more: {type(error).__name__}")
