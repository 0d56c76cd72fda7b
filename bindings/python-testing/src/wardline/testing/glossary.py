"""Every error an app can get: for a test that asks whether the app has words for each."""

from __future__ import annotations

from wardline._bridge import do, native
from wardline.errors import WardlineError


def every_error() -> list[WardlineError]:
    """One error for each code, as a call raises it. Lengths and limits in them are examples::

        def test_every_error_has_words_in_spanish():
            for error in every_error():
                assert error.code in SPANISH
    """
    return [_raised(code.code) for code in do(native.error_codes)]


def _raised(code: str) -> WardlineError:
    try:
        do(lambda: native.raise_error(code))
    except WardlineError as error:
        return error
    raise LookupError(code)
