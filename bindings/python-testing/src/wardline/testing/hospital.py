"""The made-up or exported hospital behind a ward: its people by name, and its patients.

Wardline itself takes nothing of a patient from an export; a scenario needs somebody to write about.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wardline.model import Patient, PatientIdentifier

#: The system of a birth date as an identifier; FHIR has none.
BIRTH_DATE = "urn:wardline:birth-date"


def patients(folder: Path) -> tuple[Patient, ...]:
    """The patients of a folder of FHIR R4 NDJSON who have two identifiers, in the order of the file."""
    file = folder / "Patient.ndjson"
    if not file.exists():
        return ()
    lines = (line for line in file.read_text("utf-8").splitlines() if line.strip())
    found = (_patient(json.loads(line)) for line in lines)
    return tuple(patient for patient in found if len(patient.identifiers) > 1)


def made_up_patient(number: int) -> Patient:
    """A patient of a ward without a hospital."""
    return Patient(
        (
            PatientIdentifier("urn:wardline:made-up-mrn", f"MRN-{700_000 + number}"),
            PatientIdentifier(BIRTH_DATE, f"{1931 + number % 60}-0{1 + number % 9}-17"),
        ),
        name=f"Testa Placeholder-{number}",
    )


def find_person(who: str, names: Mapping[str, str]) -> str:
    """The id of somebody who is named by id, by name, or by a part of the name that only they have."""
    if who in names:
        return who
    wanted = _plain(who)
    exact = [user for user, name in names.items() if _plain(name) == wanted]
    found = exact or [user for user, name in names.items() if wanted in _plain(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise LookupError(f"{who!r} may be {', '.join(sorted(found)[:5])}: take the id")
    near = difflib.get_close_matches(who, [*names, *names.values()], n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise LookupError(f"nobody at this hospital is called {who!r}{hint}")


def id_for(name: str) -> str:
    """An id for somebody of whom only the name is known."""
    return "-".join(re.findall(r"[A-Za-z0-9]+", name)) or "Somebody"


def secrets_of(patient: Patient) -> Iterator[str]:
    """What must not be found anywhere once a message about this patient went through the ward."""
    yield patient.name
    yield patient.encounter
    for identifier in patient.identifiers:
        yield identifier.value


def _patient(resource: Mapping[str, Any]) -> Patient:
    name: Mapping[str, Any] = next(iter(resource.get("name", [])), {})
    words = [*name.get("given", []), name.get("family", "")]
    identifiers = [
        PatientIdentifier(one["system"], one["value"])
        for one in resource.get("identifier", [])
        if one.get("use") == "usual" and "system" in one and "value" in one
    ]
    if born := resource.get("birthDate"):
        identifiers.append(PatientIdentifier(BIRTH_DATE, born))
    text = name.get("text") or " ".join(word for word in words if word)
    return Patient(tuple(identifiers[:2]), name=text)


def _plain(name: str) -> str:
    """A name without its titles and case."""
    return " ".join(re.findall(r"\w+", name.casefold())).removeprefix("dr ")
