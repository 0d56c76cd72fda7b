"""Closed-loop clinical messaging, end-to-end encrypted.

A device of a person is a :class:`Client`. It is opened with a :class:`Config`, sends with
:meth:`Client.send`, and tells what happened as an asynchronous iterator, :meth:`Client.events`::

    config = Config(
        folder="nurse", organization="mercy", root=PIN, relay="relay.mercy.example",
        transport=http_transport("https://relay.mercy.example"),
        key_store=file_key_store("nurse.keys"),
    )
    async with Client.open(config) as nurse:
        await nurse.unlock(Passphrase("correct horse battery staple"))
        nurse.start()
        await nurse.send(Person("DR-1"), "K 6.6 mmol/L", priority=Priority.URGENT)
        async for event in nurse.events():
            ...

Everything that fails raises a :class:`WardlineError` with a stable ``code``, ``retryable`` and
``recovery``. All methods may be called from any thread that runs an event loop.

Not here: storage of your own (messages live in Wardline's encrypted store), and user interface.
"""

from ._bridge import has_testing, library_version
from .answers import (
    Answer,
    Asked,
    OpenItems,
    Recalled,
    RecallOutcome,
    StandingAnswer,
    Verdict,
)
from .client import Client
from .config import Config, PassphraseCost, is_enrolled
from .errors import (
    ArgumentError,
    AuthorityError,
    ClosedError,
    DefectError,
    DirectoryError,
    EnrollmentError,
    ForkedError,
    KeyStoreError,
    LockedError,
    NetworkError,
    NotFoundError,
    PassphraseError,
    Recovery,
    RelayError,
    SendError,
    StoreError,
    VaultError,
    WaitCancelledError,
    WardlineError,
    WipedError,
)
from .events import (
    DeliveryChanged,
    DeviceRevoked,
    DirectoryChanged,
    DirectoryRefused,
    EnvelopeRefused,
    Event,
    MessageAnswered,
    MessageArrived,
    MessageRecalled,
    MessageSent,
    ReadElsewhere,
    StoreRolledBack,
    UnknownEvent,
)
from .host import (
    Interrupted,
    KeyPurpose,
    KeyStore,
    KeyStoreProblem,
    KeyStoreRefusal,
    Refused,
    RelayRequest,
    RelayResponse,
    TooLarge,
    Transport,
    TransportFailure,
    Unreachable,
    file_key_store,
    http_transport,
)
from .inbox import Collected, Inbox, Notice, NoticeSender
from .logs import log_to
from .model import (
    Conversation,
    ConversationListChange,
    ConversationPage,
    DeliveryState,
    DeviceDelivery,
    Direction,
    FailureCause,
    Message,
    NewestMessage,
    OwnDevice,
    Page,
    Patient,
    PatientIdentifier,
    PendingRequest,
    Person,
    PersonDelivery,
    Priority,
    Proof,
    Recipient,
    Round,
    Team,
    TimelineChange,
)
from .secrets import Passphrase
from .views import ConversationListView, TimelineView

__version__ = library_version()

__all__ = [
    "Answer",
    "ArgumentError",
    "Asked",
    "AuthorityError",
    "Client",
    "ClosedError",
    "Collected",
    "Config",
    "Conversation",
    "ConversationListChange",
    "ConversationListView",
    "ConversationPage",
    "DefectError",
    "DeliveryChanged",
    "DeliveryState",
    "DeviceDelivery",
    "DeviceRevoked",
    "Direction",
    "DirectoryChanged",
    "DirectoryError",
    "DirectoryRefused",
    "EnrollmentError",
    "EnvelopeRefused",
    "Event",
    "FailureCause",
    "ForkedError",
    "Inbox",
    "Interrupted",
    "KeyPurpose",
    "KeyStore",
    "KeyStoreError",
    "KeyStoreProblem",
    "KeyStoreRefusal",
    "LockedError",
    "Message",
    "MessageAnswered",
    "MessageArrived",
    "MessageRecalled",
    "MessageSent",
    "NetworkError",
    "NewestMessage",
    "NotFoundError",
    "Notice",
    "NoticeSender",
    "OpenItems",
    "OwnDevice",
    "Page",
    "Passphrase",
    "PassphraseCost",
    "PassphraseError",
    "Patient",
    "PatientIdentifier",
    "PendingRequest",
    "Person",
    "PersonDelivery",
    "Priority",
    "Proof",
    "ReadElsewhere",
    "RecallOutcome",
    "Recalled",
    "Recipient",
    "Recovery",
    "Refused",
    "RelayError",
    "RelayRequest",
    "RelayResponse",
    "Round",
    "SendError",
    "StandingAnswer",
    "StoreError",
    "StoreRolledBack",
    "Team",
    "TimelineChange",
    "TimelineView",
    "TooLarge",
    "Transport",
    "TransportFailure",
    "UnknownEvent",
    "Unreachable",
    "VaultError",
    "Verdict",
    "WaitCancelledError",
    "WardlineError",
    "WipedError",
    "file_key_store",
    "has_testing",
    "http_transport",
    "is_enrolled",
    "library_version",
    "log_to",
]
