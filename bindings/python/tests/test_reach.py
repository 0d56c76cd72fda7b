"""Being reached: what people say of themselves, and what is known before something is sent."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from conftest import Ward
from wardline import (
    ArgumentError,
    Availability,
    AvailabilityChanged,
    Away,
    WardlineError,
)


# scenario: reachability
async def test_what_a_person_says_is_known_to_others_and_on_their_other_device(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    tablet = await ward.enroll("DR-1")
    await ward.settle(nurse, doctor, tablet)
    until = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=8)
    assert await doctor.client.availability() == Availability()
    said = Availability(do_not_disturb_until=until, away=Away(until, "NS-1"))
    await doctor.client.set_availability(said)
    assert "NS-1" not in repr(said)
    await ward.settle(doctor, tablet)
    assert await tablet.client.availability() == said
    events = await tablet.client.events_from()
    assert any(isinstance(one, AvailabilityChanged) for one in events)

    [known] = await nurse.client.reachability("DR-1")
    assert (known.user, known.has_device, known.delegate) == ("DR-1", True, "NS-1")
    assert (known.do_not_disturb_until, known.away_until) == (until, until)
    assert known.last_seen is not None and known.as_of is not None
    [nobody] = await nurse.client.reachability("DR-9")
    assert (nobody.has_device, nobody.last_seen) == (False, None)

    await doctor.client.set_availability(Availability())
    await ward.settle(doctor)
    [known] = await nurse.client.reachability("DR-1")
    assert (known.do_not_disturb_until, known.away_until, known.delegate) == (None, None, None)


# scenario: reachability
async def test_what_makes_no_sense_is_refused_and_changes_nothing(ward: Ward) -> None:
    doctor = await ward.enroll("DR-1")
    now = datetime.now(timezone.utc)
    soon = now + timedelta(hours=1)
    for said, code in [
        (Availability(do_not_disturb_until=now - timedelta(days=1)), "WL-REACH-TIME"),
        (Availability(away=Away(soon, "DR-1")), "WL-REACH-OWN-DELEGATE"),
        (Availability(away=Away(soon, "DR-9")), "WL-REACH-NO-SUCH-DELEGATE"),
    ]:
        with pytest.raises(WardlineError) as refused:
            await doctor.client.set_availability(said)
        assert refused.value.code == code
    with pytest.raises(ArgumentError) as odd:
        await doctor.client.reachability("no spaces please")
    assert odd.value.name == "people"
    assert await doctor.client.availability() == Availability()
