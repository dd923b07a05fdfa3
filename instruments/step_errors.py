"""What went wrong in a step: the error behind a failed status, and whether it is a link that is silent for a while."""

from __future__ import annotations

from bluesky.utils import FailedStatus, IllegalMessageSequence
from ophyd.utils import DisconnectedError

from campaigns.errors import AthanorError

SILENT = (TimeoutError, DisconnectedError, ConnectionError)
"""Errors that say nothing of what a device does: it may still be at it."""


def root_of(error: BaseException) -> BaseException:
    """Return an error; of a failed status, that which it failed with."""
    return error.__cause__ if isinstance(error, FailedStatus) and error.__cause__ else error


def reason_of(error: BaseException) -> str:
    """Return an error's message, with its name where that is not one of ours; of a failed status, that of its cause."""
    cause = root_of(error)
    if _is_cut_off(cause):
        return "the link was cut while its answer was waited for"
    if isinstance(cause, IllegalMessageSequence) and "open run" in str(cause):
        return f"{_in_one_line(cause)} The plan opens no run: decorate it with bluesky.preprocessors.run_decorator()"
    return str(cause) if isinstance(cause, AthanorError) else f"{type(cause).__name__}: {cause}".removesuffix(": ")


def _in_one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def is_silence(error: BaseException) -> bool:
    """Return whether an error says only that a device has not answered."""
    cause = root_of(error)
    return isinstance(cause, SILENT) or _is_cut_off(cause)


def _is_cut_off(error: BaseException) -> bool:
    """Return whether an error is how caproto 1.3 says that a circuit was cut before the answer came."""
    return isinstance(error, KeyError) and error.args == ("response",)
