"""The smallest whole: enroll two clinicians, send, receive, read, and get the receipt.

Needs the packages ``wardline`` and ``wardline-testing`` (for a relay in the process)::

    pip install ./bindings/python ./bindings/python-testing
    python examples/python/first_message.py
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from wardline import (
    Client,
    Config,
    DeliveryChanged,
    DeliveryState,
    MessageArrived,
    Passphrase,
    Person,
    Priority,
    file_key_store,
)
from wardline.authority import Authority, AuthoritySecrets, PersonDetails
from wardline.testing import Relay

RELAY = "relay.mercy.example"


async def main(folder: Path) -> None:
    # The organization's backend: it knows its people. A relay serves whom this document names.
    authority = Authority.found("mercy", AuthoritySecrets.generate(root_keys=1))
    await authority.upsert_person(PersonDetails("NS-1", "Nurse Okafor"))
    await authority.upsert_person(PersonDetails("DR-1", "Dr. Gupta"))
    relay = await Relay.open(folder / "relay", RELAY, [await authority.root_document()])
    transport = relay.transport()
    await authority.publish(RELAY, transport)
    pin = await authority.pin()

    def config(name: str) -> Config:
        return Config(
            folder=folder / name,
            organization="mercy",
            root=pin,  # shipped with the app
            relay=RELAY,
            transport=transport,  # http_transport("https://...") in real life
            key_store=file_key_store(folder / f"{name}.keys"),
        )

    # Once for each device, with a ticket from the backend.
    passphrase = Passphrase("correct horse battery staple")
    nurse_ticket = await authority.mint_ticket("NS-1")
    doctor_ticket = await authority.mint_ticket("DR-1")
    async with (
        Client.enroll(config("nurse"), "NS-1", ticket=nurse_ticket, passphrase=passphrase) as nurse,
        Client.enroll(config("doctor"), "DR-1", ticket=doctor_ticket, passphrase=passphrase) as doctor,
    ):
        # From the next head on the directory lists both; now they offer the keys that others seal for.
        await authority.publish(RELAY, transport)
        for device in (nurse, doctor):
            await device.sync_once()
            device.start()

        # Durable when it answers; the loop sends it.
        sent = await nurse.send(Person("DR-1"), "K 6.6 mmol/L", priority=Priority.URGENT)
        print("nurse  sent", sent)

        async for event in doctor.events():
            if isinstance(event, MessageArrived):
                [message] = await doctor.messages(event.reference)
                print("doctor reads:", message.text)
                await doctor.mark_read(message)
                break

        async for event in nurse.events():
            if isinstance(event, DeliveryChanged):
                [delivery] = await nurse.deliveries(event.message)
                if delivery.state is DeliveryState.READ:
                    print("nurse  has the signed receipt: read by", delivery.user)
                    break
    await relay.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(asyncio.wait_for(main(Path(place)), timeout=120))
    sys.exit(0)
