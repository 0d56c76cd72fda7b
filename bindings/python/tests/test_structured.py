"""Typed contents: they arrive as they were written, read as text anywhere, and are read back."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from conftest import Ward
from wardline import (
    CriticalResult,
    OpenItems,
    Order,
    Person,
    Sbar,
    SendError,
    Structured,
    VendorContent,
    Verdict,
)

SPECIMEN_AT = datetime(2025, 3, 3, 6, 40, tzinfo=timezone.utc)
POTASSIUM = CriticalResult(
    "Potassium", "6.6", "mmol/L", "2823-3", "3.5-5.0", "HH", specimen_at=SPECIMEN_AT
)
ORDER = Order("Calcium gluconate 10 %", "DR-1", "10 ml", "i.v.", "once")


# scenario: structured
@pytest.mark.parametrize(
    ("content", "words", "type_uri"),
    [
        (Sbar("Bed 4, chest pain", "CABG 2019", "angina?", "see now"), "CABG 2019", "wardline.sbar/1"),
        (POTASSIUM, "6.6 mmol/L", "wardline.critical-result/1"),
        (ORDER, "10 ml", "wardline.order/1"),
    ],
)
async def test_typed_fields_arrive_and_are_found_by_their_text(
    ward: Ward, content: Structured, words: str, type_uri: str
) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    await nurse.client.send(Person("DR-1"), structured=content)
    await ward.settle(nurse, doctor)
    message = await doctor.newest("NS-1")
    assert (message.structured, message.content_type) == (content, type_uri)
    assert message.supported and words in message.text
    assert "Bed" not in repr(message) and "mmol" not in repr(message) and "ml" not in repr(content)
    assert await doctor.client.search(words) == (message,)
    assert await nurse.client.devices_without(Person("DR-1"), type_uri) == ()


# scenario: structured
async def test_a_critical_result_is_accepted_by_reading_it_back_only(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    await nurse.client.send(Person("DR-1"), structured=POTASSIUM)
    await ward.settle(nurse, doctor)
    [message] = await doctor.client.open_items(OpenItems.TO_ANSWER)
    with pytest.raises(SendError) as unread:
        await doctor.client.answer(message, Verdict.ACCEPTED)
    assert unread.value.code == "WL-SEND-READ-BACK"
    await doctor.client.answer(message, Verdict.ACCEPTED, "K 6.6, on my way")
    assert await doctor.client.open_items(OpenItems.TO_ANSWER) == ()


async def test_a_vendors_type_arrives_as_it_is_and_reads_as_its_text(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    form = VendorContent("forms.vendor.example/fall/1", bytes(range(256)))
    await nurse.client.send(Person("DR-1"), "Fall protocol, bed 4", structured=form)
    await ward.settle(nurse, doctor)
    message = await doctor.newest("NS-1")
    assert (message.structured, message.text) == (form, "Fall protocol, bed 4")
    [only] = await nurse.client.devices_without(Person("DR-1"), form.type_uri) or ()
    assert (only.user, only.device) == ("DR-1", doctor.client.device)

    refusals: list[tuple[Structured, str]] = [
        (Sbar(" "), "WL-SEND-INCOMPLETE"),
        (VendorContent("wardline.order/1", b""), "WL-SEND-NOT-A-VENDOR-TYPE"),
        (VendorContent(form.type_uri, bytes(65 * 1024)), "WL-SEND-TOO-LARGE"),
    ]
    for content, code in refusals:
        with pytest.raises(SendError) as refused:
            await nurse.client.send(Person("DR-1"), "something", structured=content)
        assert refused.value.code == code
    assert await nurse.texts("DR-1") == ["Fall protocol, bed 4"]
