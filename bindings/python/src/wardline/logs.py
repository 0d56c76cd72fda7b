"""What Wardline logs, in Python's ``logging``.

It is safe to log: no names, no texts, ids as short hashes.
"""

from __future__ import annotations

import logging
from typing import Any

from ._bridge import do, native

_LEVELS = {
    "ERROR": logging.ERROR,
    "WARN": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
    "TRACE": logging.DEBUG,
}


def log_to(logger: logging.Logger | None, level: int = logging.INFO) -> None:
    """Hands what Wardline logs, from ``level`` up, to ``logger`` from now on; ``None`` ends it.

    For the whole process. Records arrive a moment later, on a thread of Wardline's.
    """
    sink = None if logger is None else _Sink(logger)
    names = [name for name, known in _LEVELS.items() if known >= level]
    most = native.LogLevel[names[-1] if names else "ERROR"]
    do(lambda: native.set_log_sink(sink, most))


class _Sink(native.LogSink):  # type: ignore[misc]
    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def log(self, records: list[Any], lost: int) -> None:
        if lost:
            self._logger.warning("%d records of Wardline were lost: logging is too slow", lost)
        for record in records:
            level = _LEVELS[record.level.name]
            if not self._logger.isEnabledFor(level):
                continue
            name = record.target.replace("::", ".")
            made = self._logger.makeRecord(name, level, "wardline", 0, record.text, (), None)
            made.created = record.at_ms / 1000
            self._logger.handle(made)
