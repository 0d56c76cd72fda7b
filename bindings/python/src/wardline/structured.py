"""Messages with typed fields, which any device can show as text: as values.

Fields that may be missing are empty. Hand one to :meth:`wardline.Client.send`; find it in
:attr:`wardline.Message.structured`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from ._bridge import native
from ._times import maybe_time, native_time


@dataclass(frozen=True, slots=True)
class Sbar:
    """A handoff: ``wardline.sbar/1``. At least the situation is not empty."""

    #: What is happening.
    situation: str = field(repr=False)
    #: What led to it.
    background: str = field(default="", repr=False)
    #: What the author makes of it.
    assessment: str = field(default="", repr=False)
    #: What the author asks for.
    recommendation: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class CriticalResult:
    """A critical result: ``wardline.critical-result/1``. Its test, by name or code, and its value are not empty.
    It asks for an answer, and nobody accepts it without reading it back."""

    #: What was measured, as people say it.
    test_name: str = field(repr=False)
    #: The value, as the laboratory writes it.
    value: str = field(repr=False)
    #: Its unit, such as ``mmol/L``.
    unit: str = field(default="", repr=False)
    #: What was measured, as systems say it, such as the LOINC code ``2823-3``.
    test_code: str = field(default="", repr=False)
    #: What is normal, such as ``3.5-5.0``.
    reference_range: str = field(default="", repr=False)
    #: How abnormal it is, in the letters of HL7 table 0078 such as ``HH``.
    abnormal_flag: str = field(default="", repr=False)
    #: When the specimen was taken.
    specimen_at: datetime | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Order:
    """An order by text: ``wardline.order/1``. What is ordered is not empty. It asks for an answer, and nobody
    accepts it without reading it back."""

    #: What is ordered.
    what: str = field(repr=False)
    #: Who orders it: the author, or whom the author writes for. Only the author is proven.
    ordered_by: str = field(repr=False)
    #: How much.
    dose: str = field(default="", repr=False)
    #: Which way.
    route: str = field(default="", repr=False)
    #: How often.
    frequency: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class VendorContent:
    """A type of somebody else's; the message needs a text besides."""

    #: The vendor's domain, a name and a version: ``vendor.example.com/form/1``.
    type_uri: str
    #: What only the vendor's apps read, at most 64 KiB.
    body: bytes = field(repr=False)


#: What a structured message says.
Structured: TypeAlias = Sbar | CriticalResult | Order | VendorContent


# From the native library and to it.


def structured(value: Any) -> Structured:
    return _KINDS[type(value)](value)


def native_structured(value: Structured) -> Any:
    match value:
        case Sbar(situation, background, assessment, recommendation):
            return native.Structured.SBAR(
                situation=situation,
                background=background,
                assessment=assessment,
                recommendation=recommendation,
            )
        case CriticalResult():
            return native.Structured.CRITICAL_RESULT(
                test_name=value.test_name,
                test_code=value.test_code,
                value=value.value,
                unit=value.unit,
                reference_range=value.reference_range,
                abnormal_flag=value.abnormal_flag,
                specimen_at_ms=None if value.specimen_at is None else native_time(value.specimen_at),
            )
        case Order():
            return native.Structured.ORDER(
                what=value.what,
                dose=value.dose,
                route=value.route,
                frequency=value.frequency,
                ordered_by=value.ordered_by,
            )
        case VendorContent(type_uri, body):
            return native.Structured.VENDOR(type_uri=type_uri, body=body)


_KINDS: dict[Any, Callable[[Any], Structured]] = {
    native.Structured.SBAR: lambda it: Sbar(
        it.situation, it.background, it.assessment, it.recommendation
    ),
    native.Structured.CRITICAL_RESULT: lambda it: CriticalResult(
        test_name=it.test_name,
        value=it.value,
        unit=it.unit,
        test_code=it.test_code,
        reference_range=it.reference_range,
        abnormal_flag=it.abnormal_flag,
        specimen_at=maybe_time(it.specimen_at_ms),
    ),
    native.Structured.ORDER: lambda it: Order(
        what=it.what,
        ordered_by=it.ordered_by,
        dose=it.dose,
        route=it.route,
        frequency=it.frequency,
    ),
    native.Structured.VENDOR: lambda it: VendorContent(it.type_uri, bytes(it.body)),
}
