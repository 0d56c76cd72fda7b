"""What happened on the ward and what each device saw of it, as a table for people.

It quotes what messages say: a ward in a box has made-up patients only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from wardline import events
from wardline.events import Event

#: What people call a message (by reference or id) or a person (by id): ``#1``, ``Nurse Okafor``.
Naming = Callable[[str], str]


@dataclass(slots=True)
class Row:
    """One thing that happened."""

    at: datetime
    who: str
    #: What, and how many times. More than one only for failures, which come in showers.
    what: Counter[str]
    is_failure: bool = False


class TimeLine:
    """What happened, oldest first."""

    def __init__(self) -> None:
        self._rows: list[Row] = []

    def add(self, at: datetime, who: str, what: str) -> None:
        """Something happened. The same again in a row is counted."""
        last = self._last(who)
        if last is not None and not last.is_failure and what in last.what:
            last.what[what] += 1
        else:
            self._rows.append(Row(at, who, Counter([what])))

    def failed(self, at: datetime, who: str, what: str) -> None:
        """Something failed. Failures that follow each other are one row."""
        last = self._last(who)
        if last is not None and last.is_failure:
            last.what[what] += 1
        else:
            self._rows.append(Row(at, who, Counter([what]), is_failure=True))

    def _last(self, who: str) -> Row | None:
        return next((row for row in reversed(self._rows) if row.who == who), None)

    def __str__(self) -> str:
        if not self._rows:
            return "nothing happened"
        rows = sorted(self._rows, key=lambda row: row.at)
        width = max(len("who"), *(len(row.who) for row in rows))
        lines = [f"{'time':<8}  {'who':<{width}}  what"]
        day = None
        for row in rows:
            if row.at.date() != day:
                day = row.at.date()
                lines.append(f"-- {day:%A, %d %B %Y}, UTC")
            what = "; ".join(
                one if times == 1 else f"{one} ({times} times)" for one, times in row.what.items()
            )
            lines.append(f"{row.at:%H:%M:%S}  {row.who:<{width}}  {what}")
        return "\n".join(lines)


def failure_in_words(code: str) -> str:
    """What became of a round that failed."""
    return f"{_FAILURES.get(code, 'cannot send and fetch')}, {code}"


def in_words(event: Event, naming: Naming) -> str | None:
    """An event as a row says it; ``None`` for what is no news."""
    match event:
        case events.MessageArrived(reference=reference, tier=tier):
            return f"has {naming(reference)} on its disk ({tier.value})"
        case events.MessageSent(message=message):
            return f"knows: the relay has {naming(message)} for everybody it could be sealed for"
        case events.DeliveryChanged(message=message, user=user):
            return f"has the signed word of {naming(user)} on {naming(message)}"
        case events.MessageAnswered(reference=reference, user=user, verdict=verdict):
            return f"knows: {naming(user)} has {verdict.value} {naming(reference)}"
        case events.MessageExpired(reference=reference):
            return f"knows: {naming(reference)} is over, and shows it no more"
        case events.MessageRecalled(reference=reference):
            return f"knows: {naming(reference)} was taken back, and shows it no more"
        case events.MessageAmended(reference=reference):
            return f"knows: {naming(reference)} was corrected, and shows what it says now"
        case events.MessageReminder(reference=reference, round=round):
            return f"is reminded of {naming(reference)}, which nobody has accepted (time {round})"
        case events.AnswerOverdue(reference=reference):
            return f"learns that nobody has accepted {naming(reference)} in time"
        case events.ReadElsewhere(reference=reference):
            return f"knows: {naming(reference)} was read on another device"
        case events.EnvelopeRefused(code=code, healing=healing):
            again = "asks for it again" if healing else "does not ask for it again"
            return f"refuses an envelope: {code}, and {again}"
        case events.DirectoryRefused(code=code):
            return f"does not believe the directory it was shown: {code}"
        case events.StoreRolledBack():
            return "notices that its store is an old copy"
        case events.DeviceRevoked():
            return "is told that it was revoked"
        case events.AvailabilityChanged():
            return "learns what was said on another device of the same person: whether they can be reached"
        case events.Escalated(reference=reference, tier=tier):
            return f"knows: {naming(reference)} went to tier {tier} of its escalation"
        case events.EscalationDue(sender=sender, role=role):
            return f"knows: something of {naming(sender)} is due for role {role}"
        case events.EscalationNotArmed(reference=reference):
            return f"knows: the escalation of {naming(reference)} is not armed, or not all of it"
        case events.EscalationGoesOn(reference=reference, code=code):
            return f"could not stop the escalation of {naming(reference)}: {code}"
        case events.DirectoryChanged():
            return None
        case _:
            return f"saw {type(event).__name__}"


_FAILURES = {
    "WL-NET-UNREACHABLE": "does not reach the relay",
    "WL-NET-INTERRUPTED": "gets no answer from the relay",
    "WL-NET-BAD-ANSWER": "gets an answer that makes no sense",
}
