"""Errors by cause: each with its class, its stable code and what helps."""

from __future__ import annotations

import logging

import pytest
import wardline
from conftest import RELAY, WORDS, Ward, until
from wardline import (
    ArgumentError,
    AuthorityError,
    Client,
    EnrollmentError,
    Passphrase,
    PassphraseError,
    Person,
    Recovery,
    RelayError,
    SendError,
    WardlineError,
    WipedError,
    errors,
    log_to,
)
from wardline._bridge import native
from wardline.authority import Authority, AuthoritySecrets
from wardline.testing import every_error


# scenario: errors-by-cause
async def test_refused_messages_say_why(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    for recipient, text, code, recovery in [
        (Person("DR-1"), "", "WL-SEND-EMPTY", Recovery.CHANGE_THE_MESSAGE),
        (Person("NS-1"), "me", "WL-SEND-ONLY-SELF", Recovery.CHOOSE_ANOTHER_RECIPIENT),
        (Person("DR-1"), "x" * 2_000_000, "WL-SEND-TOO-LONG", Recovery.CHANGE_THE_MESSAGE),
    ]:
        with pytest.raises(SendError) as refused:
            await nurse.client.send(recipient, text)
        assert (refused.value.code, refused.value.recovery) == (code, recovery)
        assert not refused.value.retryable
    assert refused.value.length == 2_000_000
    assert refused.value.limit is not None


async def test_identifiers_are_checked_at_the_edge(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    with pytest.raises(ArgumentError) as refused:
        await nurse.client.timeline("not a conversation")
    assert (refused.value.code, refused.value.name) == ("WL-ARGUMENT", "conversation")
    assert isinstance(refused.value, ValueError)
    with pytest.raises(ArgumentError):
        nurse.client.conversation(Person("no spaces please"))
    with pytest.raises(ArgumentError):
        await nurse.client.deliveries("01a20f97")


async def test_enrolling_and_opening_the_wrong_thing(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    with pytest.raises(EnrollmentError) as nobody:
        await Client.open(ward.config("empty", ward.relay.transport()))
    assert (nobody.value.code, nobody.value.recovery) == ("WL-NOT-ENROLLED", Recovery.ENROLL)
    with pytest.raises(EnrollmentError) as twice:
        await Client.enroll(
            nurse.config, "NS-1", ticket="x", passphrase=Passphrase(WORDS), label="again"
        )
    assert twice.value.code == "WL-ALREADY-ENROLLED"
    with pytest.raises(RelayError) as ticket:
        await Client.enroll(
            ward.config("no-ticket", ward.relay.transport()),
            "NS-1",
            ticket="not.a.ticket",
            passphrase=Passphrase(WORDS),
        )
    assert ticket.value.code == "WL-RELAY-TICKET-INVALID"
    with pytest.raises(PassphraseError) as empty:
        Passphrase("")
    assert empty.value.code == "WL-VAULT-EMPTY-PASSPHRASE"


# scenario: revoked-device
async def test_a_revoked_device_is_told_to_enroll_again(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    await ward.authority.revoke_device("NS-1", nurse.client.device)
    await ward.publish()
    with pytest.raises(RelayError) as refused:
        await nurse.client.sync_once()
    assert (refused.value.code, refused.value.recovery) == ("WL-RELAY-REVOKED", Recovery.ENROLL)
    found = await nurse.client.events_from()
    assert any(isinstance(event, wardline.DeviceRevoked) for event in found)


# scenario: remote-wipe
async def test_a_lost_phone_erases_itself_and_the_organization_knows(ward: Ward) -> None:
    nurse = await ward.enroll("NS-1")
    assert nurse.network is not None
    nurse.network.cut()
    await nurse.client.send(Person("DR-1"), "nobody has this")
    nurse.network.mend()
    device = nurse.client.device
    transport = ward.relay.transport()
    await ward.authority.order_wipe("NS-1", device, "lost", RELAY, transport)
    await ward.publish()
    with pytest.raises(WipedError) as refused:
        await nurse.client.sync_once()
    answer = (refused.value.code, refused.value.recovery)
    assert answer == ("WL-WIPED", Recovery.ASK_THE_ADMINISTRATOR)
    assert nurse.client.is_wiped and nurse.client.is_locked
    with pytest.raises(WipedError):
        await nurse.client.unlock(Passphrase(WORDS))
    with pytest.raises(WipedError):
        await Client.open(nurse.config)
    (wipe,) = await ward.authority.wipes(RELAY, transport)
    assert (wipe.device, wipe.reason, wipe.unsent_messages) == (device, "lost", 1)
    assert wipe.wiped_at is not None


async def test_the_authority_refuses_with_codes_of_its_own(ward: Ward) -> None:
    with pytest.raises(AuthorityError) as unknown:
        await ward.authority.end_person("NOBODY")
    assert unknown.value.code == "WL-AUTHORITY-UNKNOWN-PERSON"
    secrets = AuthoritySecrets.generate(1)
    with pytest.raises(AuthorityError) as damaged:
        Authority.restore(b"{}", secrets)
    assert damaged.value.code == "WL-AUTHORITY-SNAPSHOT"
    with pytest.raises(AuthorityError) as other:
        Authority.restore(await ward.authority.snapshot(), secrets)
    assert other.value.code == "WL-AUTHORITY-OTHER-KEY"
    again = AuthoritySecrets.load(secrets.store())
    founded = Authority.found("other", again)
    assert (await Authority.restore(await founded.snapshot(), secrets).pin()) == await founded.pin()


def test_every_domain_has_a_class_of_its_own() -> None:
    variants = {
        name
        for name, kind in vars(native.WardlineError).items()
        if isinstance(kind, type) and issubclass(kind, native.WardlineError)
    }
    assert variants == set(errors._DOMAINS)
    assert len(set(errors._DOMAINS.values())) == len(errors._DOMAINS)
    assert {member.name for member in native.Recovery} == {member.name for member in Recovery}
    for kind in errors._DOMAINS.values():
        assert issubclass(kind, WardlineError) and kind.__name__ in wardline.__all__


def test_every_code_is_raised_as_the_glossary_says() -> None:
    listed = {code.code: code for code in native.error_codes()}
    raised = every_error()
    assert [error.code for error in raised] == list(listed)
    for error in raised:
        code = listed[error.code]
        assert (type(error).__name__, error.retryable, error.recovery.name) == (
            code.python,
            code.retryable,
            code.recovery.name,
        )
    assert {code.domain for code in listed.values()} == set(errors._DOMAINS)
    assert {error.recovery for error in raised} == set(Recovery)


async def test_what_wardline_logs_arrives_in_pythons_logging(
    ward: Ward, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    log_to(logging.getLogger("wardline-test"), logging.DEBUG)
    try:
        nurse = await ward.enroll("NS-1")
        assert nurse.network is not None
        nurse.network.cut()
        nurse.client.start()

        async def logged() -> bool:
            return any("a sending round failed" in record.getMessage() for record in caplog.records)

        await nurse.client.send(Person("DR-1"), "hello")
        await until(logged)
    finally:
        log_to(None)
    assert all("hello" not in record.getMessage() for record in caplog.records)
