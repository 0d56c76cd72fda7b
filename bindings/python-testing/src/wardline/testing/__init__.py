"""A ward in a box, for tests of apps: people, devices, a relay, one clock, and networks that fail.

With pytest, take the fixture ``ward``; it comes with the package, which no app ships::

    async def test_a_locked_phone_receives(ward):
        doctor = await ward.device("Dr. Gupta")
        nurse = await ward.device("Nurse Okafor")
        nurse.lock()
        message = await doctor.send(nurse, "K 6.6 mmol/L", priority="stat")
        await ward.until(nurse.delivered(message))
        await ward.assert_nothing_leaked()

Without pytest, ``async with Ward.open(folder) as ward``. The parts alone are :class:`Relay`,
:class:`Clock`, :class:`FaultyNetwork`, :func:`found`, :func:`enroll`,
:func:`open_client` and :func:`open_inbox`.

Whether an app has words for every error it can get, it can ask with :func:`every_error`.
"""

from .box import (
    Clock,
    FaultPlan,
    FaultyNetwork,
    Relay,
    WakeUp,
    enroll,
    found,
    open_client,
    open_inbox,
)
from .condition import Condition
from .device import Device, Participant, Sent
from .glossary import every_error
from .invitation import Invitation
from .leaks import Leak
from .network import PROFILES, Network, Profile
from .ward import Ward

__all__ = [
    "PROFILES",
    "Clock",
    "Condition",
    "Device",
    "FaultPlan",
    "FaultyNetwork",
    "Invitation",
    "Leak",
    "Network",
    "Participant",
    "Profile",
    "Relay",
    "Sent",
    "WakeUp",
    "Ward",
    "enroll",
    "every_error",
    "found",
    "open_client",
    "open_inbox",
]
