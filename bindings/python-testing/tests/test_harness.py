"""What the harness itself promises: readable failures, replays, and no assertion that passes by mistake."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from conftest import HOSPITAL
from wardline.testing import FaultPlan, Ward
from wardline.testing.leaks import Secrets, look

CONFIG = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""


def failing(pytester: pytest.Pytester, scenario: str, *options: str) -> str:
    pytester.makeini(CONFIG)
    pytester.makepyfile(test_it=scenario)
    done = pytester.runpytest_subprocess(*options)
    done.assert_outcomes(failed=1)
    return str(done.stdout)


ELEVATOR = """
async def test_it(ward):
    doctor = await ward.device("Dr. Gupta")
    nurse = await ward.device("Nurse Okafor", network="elevator")
    nurse.lock()
    message = await doctor.send(nurse, "K 6.6 mmol/L", priority="stat")
    await ward.until(nurse.delivered(message))
    await ward.until(nurse.read(message))
"""


def test_a_failure_says_what_was_waited_for_and_shows_what_each_device_saw(
    pytester: pytest.Pytester,
) -> None:
    output = failing(pytester, ELEVATOR, "--ward-seed=7")
    assert "not so: Nurse Okafor has read #1, and nobody has anything to do any more" in output
    assert "#1 is delivered" in output
    for expected in (
        "ward: --ward-seed=7",
        "replay with --ward-seed=7",
        "07:00:00  Nurse Okafor  is locked",
        "writes #1 to Nurse Okafor (stat): 'K 6.6 mmol/L'",
        "does not reach the relay, WL-NET-UNREACHABLE (",
        "Nurse Okafor  has #1 on its disk (stat)",
        "Dr. Gupta     has the signed word of Nurse Okafor on #1: delivered",
    ):
        assert expected in output, output


def test_a_printed_seed_repeats_the_run(pytester: pytest.Pytester) -> None:
    def rows(output: str) -> list[str]:
        found = re.findall(r"^\d\d:\d\d:\d\d  .*$", output, re.MULTILINE)
        assert len(found) > 5
        return found

    first = failing(pytester, ELEVATOR)
    [seed] = set(re.findall(r"--ward-seed=(\d+)", first))
    assert rows(first) == rows(failing(pytester, ELEVATOR, f"--ward-seed={seed}"))
    assert rows(first) != rows(failing(pytester, ELEVATOR, f"--ward-seed={int(seed) + 1}"))


def test_an_assertion_that_nobody_awaited_fails_the_scenario(pytester: pytest.Pytester) -> None:
    pytester.makeini(CONFIG)
    pytester.makepyfile(
        test_it="""
        async def test_it(ward):
            doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
            message = await doctor.send(nurse, "never looked at")
            ward.assert_exactly_once(message)
        """
    )
    done = pytester.runpytest_subprocess()
    done.assert_outcomes(passed=1, errors=1)
    assert "was not awaited, so it checked nothing" in str(done.stdout)


def test_a_hospital_from_the_command_line_is_there(pytester: pytest.Pytester) -> None:
    pytester.makeini(CONFIG)
    pytester.makepyfile(
        test_it="""
        import pytest
        async def test_it(ward):
            assert len(ward.patients) == 52
            doctor = await ward.device("Priscilla Gupta")
            assert doctor.user == "DR-CA-001"
            with pytest.raises(LookupError, match="did you mean"):
                await ward.device("Priscila Gupta")
        """
    )
    pytester.runpytest_subprocess(f"--ward-hospital={HOSPITAL}").assert_outcomes(passed=1)


async def test_a_condition_that_is_not_asked_is_an_error(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    message = await doctor.send(nurse, "never looked at")
    with pytest.raises(TypeError, match="must be asked"):
        assert nurse.read(message)


async def test_waiting_for_what_never_comes_ends_soon_and_says_how_things_stand(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    nurse.network.cut()
    message = await doctor.send(nurse, "nobody is there")
    with pytest.raises(AssertionError, match="Nurse Okafor has got #1, .*: #1 is sent"):
        await ward.until(nurse.delivered(message))


async def test_a_leak_is_found_in_whatever_form_it_is_written(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    patient = ward.patient()
    message = await doctor.send(nurse, "Hyperkalaemia again", patient=patient)
    await ward.until(nurse.delivered(message))
    await ward.assert_nothing_leaked()
    text, name = b"Hyperkalaemia again", patient.name.encode()
    planted = ward.folder / "relay" / "debug.log"
    for leak in (
        b"...Hyperkalaemia again...",
        b"index: hyperkalaemia",
        text.hex().upper().encode(),
        text.decode().encode("utf-16-le"),
        name,
        patient.identifiers[0].value.encode(),
    ):
        planted.write_bytes(b"\0" + leak + b"\n")
        with pytest.raises(AssertionError, match=r"relay/debug\.log: "):
            await ward.assert_nothing_leaked()
    planted.unlink()
    await ward.assert_nothing_leaked()


def test_every_form_of_a_secret_is_found_at_every_offset(tmp_path: Path) -> None:
    import base64

    secrets = Secrets()
    secrets.add("Grüße an Station 7")
    assert secrets.missed_in_control(secrets.control()) == []
    for before in range(3):
        for after in range(3):
            data = base64.b64encode(b"x" * before + "Grüße an Station 7".encode() + b"y" * after)
            (tmp_path / "file").write_bytes(data)
            assert look(secrets, tmp_path)[1], (before, after)
    (tmp_path / "file").write_bytes(b"nothing to see")
    assert look(secrets, tmp_path) == (14, [])


async def test_nothing_leaked_means_nothing_when_nobody_can_read(ward: Ward) -> None:
    with pytest.raises(AssertionError, match="went through the ward"):
        await ward.assert_nothing_leaked()
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    await doctor.send(nurse, "behind two locks")
    doctor.lock()
    with pytest.raises(AssertionError, match="no unlocked device shows any message"):
        await ward.assert_nothing_leaked()


async def test_a_message_shown_twice_or_not_at_all_is_noticed(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    message = await doctor.send(nurse, "only once, please")
    with pytest.raises(AssertionError, match="Nurse Okafor shows it not at all"):
        await ward.assert_exactly_once(message)
    # An app that sends again instead of waiting: not known to the ward as a second message.
    await doctor.client.send(nurse.recipient, "only once, please")
    await ward.until(nurse.delivered(message))
    with pytest.raises(AssertionError, match="shows 'only once, please' twice"):
        await ward.assert_exactly_once(message)
    nurse.lock()
    with pytest.raises(AssertionError, match="is locked: nobody can look"):
        await ward.assert_exactly_once(message)


async def test_one_clock_for_everybody(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    night = datetime(2025, 3, 4, 2, 30, tzinfo=timezone.utc)
    ward.clock.set(night)
    message = await doctor.send(nurse, "in the night")
    ward.passes(timedelta(hours=1))
    await ward.until(nurse.delivered(message))
    shown = await nurse.opens(message)
    assert shown.created_at == night
    assert timedelta(hours=1) < shown.arrived_at - night < timedelta(hours=1, minutes=1)
    assert "03:30:01  Nurse Okafor  has #1 on its disk (routine)" in ward.time_line()


async def test_an_unknown_network_is_told_apart_from_a_known_one(ward: Ward) -> None:
    nurse = await ward.device("Nurse Okafor")
    with pytest.raises(ValueError, match="did you mean 'basement Wi-Fi'"):
        nurse.network.be("basment wifi")
    nurse.network.be(FaultPlan(lose_answers=5))
    assert not nurse.network.is_cut
