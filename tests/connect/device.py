"""A device made from stock parts: its keys, its credential, its id."""

import hashlib
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Device:
    """Fresh keys, and what they say about themselves."""

    def __init__(self, messages, organization: str, user: str) -> None:
        self.key = Ed25519PrivateKey.generate()
        ed25519 = _raw(self.key.public_key())
        curve25519 = _raw(X25519PrivateKey.generate().public_key())
        digest = hashlib.sha256(b"wardline/v1/device-id\0" + ed25519 + curve25519).digest()
        self.keyid = "device/" + digest[:16].hex()
        self._credential = messages.type("DeviceCredential")(
            version=1,
            organization=organization,
            user_id=user,
            ed25519=ed25519,
            curve25519=curve25519,
            capabilities=["wardline.text/1"],
            label="stock client",
            created_at_ms=int(time.time() * 1000),
        )
        self._request = messages.type("EnrollRequest")

    def enrollment(self, ticket: str):
        """The request that hands in the credential, signed as proof of possession."""
        credential = self._credential.SerializeToString()
        signature = self.key.sign(b"wardline/v1/credential\0" + credential)
        return self._request(ticket=ticket, credential=credential, signature=signature)


def _raw(key) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
