"""The page for QA: its scenarios run, word for word, and its tables say what there is."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from wardline.testing import PROFILES

PAGE = (Path(__file__).parents[3] / "docs/src/qa.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_first_scenario_has_ten_lines_and_runs(pytester: pytest.Pytester) -> None:
    scenario = blocks("python")[0]
    assert len(scenario.splitlines()) == 10
    pytester.makeini(blocks("ini")[0])
    pytester.makepyfile(test_first=scenario)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize("block", [1, 2])
def test_the_loop_is_closed_as_the_page_shows(pytester: pytest.Pytester, block: int) -> None:
    pytester.makeini(blocks("ini")[0])
    pytester.makepyfile(test_loop=blocks("python")[block])
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_an_app_in_another_process_joins_the_ward(pytester: pytest.Pytester) -> None:
    app = """
        import asyncio, sys, tempfile
        from wardline import *
        async def main(url, organization, root, relay, user, ticket):
            folder = tempfile.mkdtemp()
            config = Config(folder=folder + "/app", organization=organization, root=root, relay=relay,
                            transport=http_transport(url), key_store=file_key_store(folder + "/keys"))
            async with Client.enroll(config, user, ticket=ticket, passphrase=Passphrase("app")) as app:
                app.start()
                async for event in app.events():
                    pass
        asyncio.run(main(*sys.argv[1:]))
    """
    start = """
        import asyncio, sys
        async def start_our_app(*arguments):
            return await asyncio.create_subprocess_exec(sys.executable, "our_app.py", *arguments)
    """
    pytester.makeini(blocks("ini")[0])
    pytester.makepyfile(our_app=textwrap.dedent(app))
    pytester.makepyfile(test_app=textwrap.dedent(start) + "\n" + blocks("python")[3])
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_page_lists_every_network() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| ", PAGE, re.MULTILINE)
    assert set(PROFILES) <= set(rows)
