"""Verifies a C2SP signed note (https://c2sp.org/signed-note) with an Ed25519 verifier key."""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def open_note(note: str, verifier_key: str) -> str:
    """The text, if the key `<name>+<key id>+<base64>` signed it; `ValueError` or `InvalidSignature` if not."""
    name, key_id, encoded = verifier_key.split("+", 2)
    algorithm, key = base64.b64decode(encoded)[:1], base64.b64decode(encoded)[1:]
    if algorithm != b"\x01":
        raise ValueError("not an Ed25519 key")
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    for line in signatures.splitlines():
        dash, signer, signature = line.split(" ")
        value = base64.b64decode(signature)
        if dash == "\u2014" and signer == name and value[:4].hex() == key_id:
            Ed25519PublicKey.from_public_bytes(key).verify(value[4:], text.encode())
            return text
    raise ValueError(f"not signed by {name}")
