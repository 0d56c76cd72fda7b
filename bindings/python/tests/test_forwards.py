"""Handing on and correcting fields, on the surface: what goes in comes out, and what is refused is named."""

from __future__ import annotations

import pytest
from conftest import Ward
from wardline import CriticalResult, Order, Patient, PatientIdentifier, Person, Priority, SendError


# scenario: forward
async def test_a_forward_is_its_first_authors_word(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    patient = Patient((PatientIdentifier("urn:mrn", "0042"),), name="Keller")
    await nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", patient=patient)
    await ward.settle(nurse, doctor)
    result = await doctor.newest("NS-1")

    await doctor.client.forward(result, Person("NS-1"), "is it yours?", priority=Priority.URGENT)
    await ward.settle(doctor, nurse)
    message = await nurse.newest("DR-1")
    assert (message.sender, message.priority) == ("DR-1", Priority.URGENT)
    assert message.text == "is it yours?\n\nK 6.6 mmol/L"
    assert message.patient == patient
    inside = message.forwarded
    assert inside is not None and inside.proven
    assert (inside.author, inside.author_device) == ("NS-1", nurse.client.device)
    assert (inside.text, inside.comment) == ("K 6.6 mmol/L", "is it yours?")
    assert (inside.written_at, inside.corrected_at) == (result.created_at, None)
    assert inside.patient == patient
    assert "NS-1" not in repr(inside) and "6.6" not in repr(inside)

    await nurse.client.recall(result.reference)
    await ward.settle(nurse, doctor)
    gone = await nurse.newest("DR-1")
    assert gone.recalled is not None and gone.forwarded is None
    with pytest.raises(SendError) as refused:
        await doctor.client.forward(result, Person("NS-1"))
    assert refused.value.code == "WL-SEND-NOT-FORWARDABLE"


async def test_a_correction_has_the_fields_that_are_right(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    wrong, right = (CriticalResult("Potassium", value, "mmol/L") for value in ("6.6", "5.6"))
    sent = await nurse.client.send(Person("DR-1"), structured=wrong)
    await ward.settle(nurse, doctor)
    await nurse.client.amend_structured(sent, right, reason="hemolyzed")
    await ward.settle(nurse, doctor)
    result = await doctor.newest("NS-1")
    assert (result.structured, result.text) == (right, "Potassium 5.6 mmol/L")
    history = await doctor.client.history(result)
    assert [one.structured for one in history] == [wrong, right]
    assert "5.6" not in repr(history)
    with pytest.raises(SendError) as other:
        await nurse.client.amend_structured(sent, Order("Calcium", "DR-1"))
    assert other.value.code == "WL-SEND-OTHER-TYPE"
