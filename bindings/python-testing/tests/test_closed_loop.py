"""The closed loop on a ward whose time passes: reminders until somebody has it, corrections, and how long it took."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from wardline import (
    AnswerOverdue,
    CriticalResult,
    LoopGrouping,
    MessageReminder,
    Priority,
    Quantiles,
)
from wardline.testing import Device, Ward

MINUTE = timedelta(minutes=1)


async def _reminders(device: Device) -> list[int]:
    events = await device.client.events_from(limit=500)
    return [one.round for one in events if isinstance(one, MessageReminder)]


# scenario: reminder
async def test_a_stat_message_comes_every_minute_until_somebody_has_it(ward: Ward) -> None:
    lab, doctor, nurse = [await ward.device(who) for who in ("Laboratory", "Dr. Gupta", "Nurse Okafor")]
    team = await ward.team("Dialysis", lab, doctor, nurse)
    result = await lab.send(team, "K 6.6 mmol/L", priority="stat", answer_within=10 * MINUTE)
    await ward.until(doctor.delivered(result) & nurse.delivered(result))
    nurse.lock()
    for rounds in (1, 2, 3):
        ward.passes(MINUTE)
        for device in (doctor, nurse):
            due = await device.client.remind()
            assert due is not None and timedelta(0) < due - ward.clock.now <= MINUTE
            # An unconfirmed reminder makes room for the next one.
            assert await _reminders(device) == [rounds]
    async with await nurse.inbox() as inbox:
        [notice] = (await inbox.collect(within=timedelta(seconds=60))).notices
        assert (notice.reference, notice.tier, notice.round) == (result.reference, Priority.STAT, 3)
    assert await _reminders(lab) == []

    await doctor.answer(result, read_back="K 6.6, on my way")
    await nurse.unlock()
    await ward.until(nurse.answered_by(result, doctor) & lab.answered_by(result, doctor))
    for device in (doctor, nurse):
        assert await device.client.remind() is None
    ward.passes(10 * MINUTE)
    await ward.at_rest()
    assert [await _reminders(device) for device in (doctor, nurse)] == [[3], [3]]
    overdue = await lab.client.events_from(limit=500)
    assert not any(isinstance(one, AnswerOverdue) for one in overdue)


# scenario: reminder
async def test_who_asked_learns_that_nobody_has_it_in_time(ward: Ward) -> None:
    lab, nurse = await ward.device("Laboratory"), await ward.device("Nurse Okafor")
    asked = await lab.send(nurse, "please sign", answer_within=5 * MINUTE)
    await ward.until(nurse.delivered(asked))
    ward.passes(6 * MINUTE)
    await ward.at_rest()
    events = await lab.client.events_from(limit=500)
    assert [one.reference for one in events if isinstance(one, AnswerOverdue)] == [asked.reference]
    assert "nobody has accepted #1 in time" in ward.time_line()


async def test_the_organization_says_how_often_a_stat_message_comes_again(ward: Ward) -> None:
    doctor, nurse = await ward.device("Dr. Gupta"), await ward.device("Nurse Okafor")
    rules = await ward.authority.policy()
    assert (rules.stat_repeat, rules.amend_window) == (MINUTE, timedelta(days=7))
    await ward.authority.set_policy(replace(rules, stat_repeat=timedelta(0)))
    await ward.publish()
    ward.passes(2 * MINUTE)
    await ward.at_rest()
    message = await doctor.send(nurse, "K 6.6 mmol/L", priority="stat")
    await ward.until(nurse.delivered(message))
    ward.passes(10 * MINUTE)
    assert await nurse.client.remind() is None
    assert await _reminders(nurse) == []


async def test_a_corrected_result_is_shown_once_with_what_it_says_now(ward: Ward) -> None:
    lab, doctor = await ward.device("Laboratory"), await ward.device("Dr. Gupta")
    content = CriticalResult("Potassium", "6.5", "mmol/L")
    result = await lab.send(doctor, structured=content, patient=ward.patient())
    assert "Potassium" in result.text
    await ward.until(doctor.delivered(result))
    await ward.assert_exactly_once(result)
    await lab.amend(result, "Potassium 5.6 mmol/L", "sample mixed up")
    await ward.until(doctor.says(result, "Potassium 5.6 mmol/L"))
    await ward.assert_exactly_once(result)
    await ward.assert_nothing_leaked()
    assert "corrects #1 to 'Potassium 5.6 mmol/L' ('sample mixed up')" in ward.time_line()


# scenario: closed-loop-times
async def test_how_long_it_took_is_known_from_the_result_to_the_acknowledgement(ward: Ward) -> None:
    lab, doctor = await ward.device("Laboratory"), await ward.device("Dr. Gupta")
    taken = ward.clock.now
    ward.passes(5 * MINUTE)
    result = await lab.send(doctor, "K 6.6 mmol/L", priority="stat", occurred_at=taken)
    await ward.until(doctor.delivered(result))
    ward.passes(3 * MINUTE)
    await doctor.answer(result, read_back="K 6.6")
    await ward.until(lab.answered_by(result, doctor))
    [times] = await lab.client.loop_times(LoopGrouping.PERSON)
    assert (times.group, times.messages, times.unanswered) == (doctor.user, 1, 0)
    for quantiles, least in [
        (times.sent_to_acknowledged, 3 * MINUTE),
        (times.event_to_acknowledged, 8 * MINUTE),
    ]:
        assert quantiles.count == 1
        assert quantiles.p50 is not None and least <= quantiles.p50 <= least + MINUTE
        assert quantiles.p95 == quantiles.p50
    assert times.sent_to_read == Quantiles(1, times.sent_to_read.p50, times.sent_to_read.p50)
    [tier] = await lab.client.loop_times(LoopGrouping.PRIORITY)
    assert tier.group is Priority.STAT
