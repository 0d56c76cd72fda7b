"""A client of the relay from stock parts: connectrpc, protobuf and cryptography.

Nothing here is generated and nothing comes from Wardline but the descriptor set (`wardline_proto::DESCRIPTORS`).
Whoever writes a client for another language can start from this file and `docs/src/protocol.md`.
"""

import base64
import hashlib
import secrets
import time

from connectrpc.client import ConnectClientSync
from connectrpc.compat import google_protobuf_binary_codec
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "wardline.v1.Relay"
COVERED = '("@method" "@path" "content-digest" "wardline-organization" "wardline-relay")'


class Messages:
    """The messages and calls of `wardline.v1`, made from the descriptor set at run time."""

    def __init__(self, descriptors: bytes) -> None:
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors).file:
            pool.Add(file)
        self._pool = pool
        self._service = pool.FindServiceByName(SERVICE)

    def type(self, name: str) -> type:
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(f"wardline.v1.{name}"))

    def method(self, name: str) -> MethodInfo:
        found = self._service.FindMethodByName(name)
        return MethodInfo(
            name=name,
            service_name=SERVICE,
            input=message_factory.GetMessageClass(found.input_type),
            output=message_factory.GetMessageClass(found.output_type),
            idempotency_level=IdempotencyLevel.UNKNOWN,
            stream_type=StreamType.UNARY,
        )


class Signer:
    """Signs calls in one caller's name: HTTP message signatures (RFC 9421) by Ed25519."""

    def __init__(self, keyid: str, key: Ed25519PrivateKey, organization: str, relay: str) -> None:
        self._keyid = keyid
        self._key = key
        self._organization = organization
        self._relay = relay

    def headers(self, method: str, body: bytes) -> dict[str, str]:
        digest = "sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()).decode() + ":"
        params = (
            f'{COVERED};created={int(time.time())};nonce="{secrets.token_urlsafe(16)}"'
            f';keyid="{self._keyid}";alg="ed25519";tag="wardline/v1/call"'
        )
        base = "\n".join(
            [
                '"@method": POST',
                f'"@path": /{SERVICE}/{method}',
                f'"content-digest": {digest}',
                f'"wardline-organization": {self._organization}',
                f'"wardline-relay": {self._relay}',
                f'"@signature-params": {params}',
            ]
        )
        signature = base64.b64encode(self._key.sign(base.encode())).decode()
        return {
            "content-digest": digest,
            "wardline-organization": self._organization,
            "wardline-relay": self._relay,
            "signature-input": f"wardline={params}",
            "signature": f"wardline=:{signature}:",
        }


class Relay:
    """The calls of one relay, signed by whoever is given."""

    def __init__(self, address: str, messages: Messages) -> None:
        self.messages = messages
        # The digest that is signed is over what is sent, so bodies go out as they are.
        self._client = ConnectClientSync(
            address, codec=google_protobuf_binary_codec(), send_compression=None, timeout_ms=20_000
        )

    def call(self, method: MethodInfo | str, request, signer: Signer | None = None):
        """Makes one call; `ConnectError` says why it was refused."""
        info = self.messages.method(method) if isinstance(method, str) else method
        headers = signer.headers(info.name, request.SerializeToString()) if signer else {}
        return self._client.execute_unary(request=request, method=info, headers=headers)

    def detail(self, error: ConnectError):
        """Wardline's own `ErrorDetail` of a refusal, or None."""
        kind = self.messages.type("ErrorDetail")
        for detail in error.details:
            if detail.type_name == kind.DESCRIPTOR.full_name:
                return kind.FromString(detail.message_bytes)
        return None
