"""What a stock Connect client gets from a running relay. Started by `cli/tests/connect.rs`, which hands in
one line of JSON, publishes the directory in between, and reads the exit code."""

import json
import sys
from pathlib import Path

from client import Messages, Relay, Signer
from connectrpc.client import ConnectClientSync
from connectrpc.code import Code
from connectrpc.compat import google_protobuf_binary_codec
from connectrpc.errors import ConnectError
from connectrpc.method import MethodInfo
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from device import Device
from note import open_note


def main() -> None:
    world = json.loads(sys.stdin.readline())
    messages = Messages(Path(world["descriptors"]).read_bytes())
    relay = Relay(world["address"], messages)
    organization, name = world["organization"], world["relay"]
    head = messages.type("HeadRequest")()

    # Nobody in particular.
    refused(relay, Code.UNAUTHENTICATED, "WL-RELAY-UNSIGNED", "Head", head)
    stranger = Signer("device/" + "0" * 32, Ed25519PrivateKey.generate(), organization, name)
    refused(relay, Code.UNAUTHENTICATED, "WL-RELAY-UNKNOWN-DEVICE", "Head", head, stranger)

    # A device with a ticket; then the organization puts it into its directory.
    device = Device(messages, organization, world["user"])
    relay.call("Enroll", device.enrollment(world["ticket"]))
    print("enrolled", device.keyid, flush=True)
    second = Device(messages, organization, world["user"])
    again = second.enrollment(world["ticket"])
    refused(relay, Code.ALREADY_EXISTS, "WL-RELAY-TICKET-USED", "Enroll", again)
    print("publish", flush=True)
    if sys.stdin.readline().strip() != "published":
        raise SystemExit("the directory was not published")

    signer = Signer(device.keyid, device.key, organization, name)
    answer = relay.call("Head", head, signer)
    print(open_note(answer.head, world["head_key"]), flush=True)

    # What the directory does not allow, and what was altered, moved or repeated.
    refused(relay, Code.PERMISSION_DENIED, "WL-RELAY-NOT-AUTHORITY", "Enrollments",
            messages.type("EnrollmentsRequest")(), signer)
    refused(relay, Code.UNAUTHENTICATED, "WL-RELAY-BAD-SIGNATURE", "Head", head, Altered(signer))
    other = Signer(device.keyid, device.key, organization, "other.example")
    refused(relay, Code.UNAUTHENTICATED, "WL-RELAY-BAD-SIGNATURE", "Head", head, other)
    once = Recorded(signer)
    relay.call("Head", head, once)
    refused(relay, Code.UNAUTHENTICATED, "WL-RELAY-REPLAY", "Head", head, once)

    # What the relay does not know or does not take.
    known = messages.method("Head")
    unknown = MethodInfo(name="Teleport", service_name=known.service_name, input=known.input, output=known.output,
                         idempotency_level=known.idempotency_level, stream_type=known.stream_type)
    refused(relay, Code.UNIMPLEMENTED, "WL-RELAY-UNSUPPORTED", unknown, head, signer)
    large = messages.type("SendRequest")()
    large.submissions.add(envelope_id=bytes(16), content=bytes(world["body_limit"]))
    detail = refused(relay, Code.RESOURCE_EXHAUSTED, "WL-RELAY-TOO-LARGE", "Send", large, signer)
    expect(detail.limit == world["body_limit"], f"the limit is {world['body_limit']}, not {detail.limit}")
    compressed(relay, world["address"], head, signer)
    print("done", flush=True)


def refused(relay: Relay, code: Code, wardline: str, method, request, signer=None):
    """The call fails with this Connect code and Wardline's own; returns the detail."""
    name = method if isinstance(method, str) else method.name
    try:
        relay.call(method, request, signer)
    except ConnectError as error:
        detail = relay.detail(error)
        print(f"{name}: {error.code.value}, {detail.code if detail else 'no detail'}", flush=True)
        expect(error.code == code, f"{name} is refused as {error.code.value}, not {code.value}")
        expect(detail is not None, f"{name} carries no detail")
        expect(detail.code == wardline, f"{name} is refused as {detail.code}, not {wardline}")
        return detail
    raise SystemExit(f"{name} went through")


def compressed(relay: Relay, address: str, request, signer: Signer) -> None:
    """A client that compresses by default is told so in the protocol's own words."""
    client = ConnectClientSync(address, codec=google_protobuf_binary_codec(), timeout_ms=20_000)
    headers = signer.headers("Head", request.SerializeToString())
    try:
        client.execute_unary(request=request, method=relay.messages.method("Head"), headers=headers)
    except ConnectError as error:
        expect(error.code == Code.UNIMPLEMENTED, f"compression is refused as {error.code.value}")
        return
    raise SystemExit("a compressed body went through")


class Altered:
    """Signs another body than the one that is sent."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def headers(self, method: str, body: bytes) -> dict[str, str]:
        return self._signer.headers(method, body + b"\x08\x01")


class Recorded:
    """Signs once and sends the same signature again."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._headers = None

    def headers(self, method: str, body: bytes) -> dict[str, str]:
        self._headers = self._headers or self._signer.headers(method, body)
        return self._headers


def expect(holds: bool, message: str) -> None:
    if not holds:
        raise SystemExit(message)


if __name__ == "__main__":
    main()
