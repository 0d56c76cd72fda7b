"""Correcting, and proving who wrote what: what it says now, what it said before, and what an outsider believes."""

from __future__ import annotations

import pytest
from conftest import Ward
from wardline import MessageAmended, Person, Priority, ProofError, SendError, Verdict
from wardline.proof import verify


# scenario: amend
async def test_a_correction_shows_the_new_text_and_keeps_the_old_one_readable(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    sent = await nurse.client.send(Person("DR-1"), "K 6.5 mmol/L", priority=Priority.STAT)
    await ward.settle(nurse, doctor)
    message = await doctor.newest("NS-1")
    assert message.amended is None
    await doctor.client.answer(message, Verdict.ACCEPTED, "K 6.5")
    with pytest.raises(SendError) as refused:
        await doctor.client.amend(message, "K 2.5 mmol/L")
    assert refused.value.code == "WL-SEND-NOT-YOURS"

    correction = await nurse.client.amend(sent, "K 5.6 mmol/L", "typing error")
    await ward.settle(nurse, doctor)
    for device, other in ((nurse, "DR-1"), (doctor, "NS-1")):
        shown = await device.newest(other)
        assert (shown.id, shown.text) == (sent, "K 5.6 mmol/L")
        assert shown.amended is not None
        assert (shown.amended.by, shown.amended.reason) == ("NS-1", "typing error")
        assert shown.amended.versions == 2
        assert "typing" not in repr(shown)
        first, last = await device.client.history(shown)
        assert (first.text, first.stands, first.reference) == ("K 6.5 mmol/L", False, shown.reference)
        assert (last.text, last.stands, last.reason) == ("K 5.6 mmol/L", True, "typing error")
        assert last.reference == f"{nurse.client.device}/{correction}"
        assert await device.client.search("6.5") == ()
    told = [one for one in await doctor.client.events_from() if isinstance(one, MessageAmended)]
    assert [one.reference for one in told] == [message.reference]

    # Whoever had accepted had accepted another text, and says so of the new one themselves.
    [before] = await nurse.client.answers(sent)
    assert (before.version, before.outdated) == (None, True)
    await doctor.client.answer(message, Verdict.ACCEPTED, "K 5.6")
    await ward.settle(doctor, nurse)
    after = (await nurse.client.answers(sent))[-1]
    assert (after.version, after.outdated) == (f"{nurse.client.device}/{correction}", False)

    await nurse.client.recall(sent)
    with pytest.raises(SendError) as late:
        await nurse.client.amend(sent, "K 4.6 mmol/L")
    assert late.value.code == "WL-SEND-TOO-LATE-TO-AMEND"


async def test_an_outsider_verifies_who_wrote_a_message_and_believes_no_forgery(ward: Ward) -> None:
    nurse, doctor = await ward.enroll("NS-1"), await ward.enroll("DR-1")
    await nurse.client.send(Person("DR-1"), "stop heparin")
    await ward.settle(nurse, doctor)
    message = await doctor.newest("NS-1")
    await nurse.client.amend(message, "stop enoxaparin", "wrong drug")
    await ward.settle(nurse, doctor)
    proof = await doctor.client.export_proof(message)

    proven = verify(proof, ward.pin)
    assert (proven.organization, proven.author) == ("mercy", "NS-1")
    assert (proven.device, proven.display_name) == (nurse.client.device, "Person NS-1")
    assert proven.text == "stop heparin"
    assert [(one.text, one.reason) for one in proven.corrections] == [("stop enoxaparin", "wrong drug")]
    assert "heparin" not in repr(proven) and "NS-1" not in repr(proven)

    at = proof.index(b"stop heparin")
    forged = proof[:at] + b"take heparin" + proof[at + 12 :]
    for wrong, root, reason in [
        (forged, ward.pin, "altered"),
        (proof, "00" * 32, "wrong-root"),
        (b"no proof", ward.pin, "malformed"),
    ]:
        with pytest.raises(ProofError) as refused:
            verify(wrong, root)
        assert (refused.value.code, refused.value.reason) == ("WL-PROOF-REFUSED", reason)

    await ward.authority.revoke_device("NS-1", nurse.client.device)
    await ward.publish()
    await doctor.client.sync_once()
    with pytest.raises(ProofError) as revoked:
        await doctor.client.export_proof(message)
    assert revoked.value.reason == "revoked"
