"""The exit codes of ``athanor``, in one place."""

from __future__ import annotations

from enum import IntEnum

from campaigns.errors import (
    AthanorError,
    CampaignError,
    LabError,
    ModelError,
    PlannerError,
    StoreError,
    TableError,
    UnitError,
)


class ExitCode(IntEnum):
    """What the shell is told; each member's ``meaning`` is shown by ``athanor --help``."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        """Keep the meaning beside the number."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    FINISHED = 0, "finished: a stopping rule held, or the command was carried out"
    UNEXPECTED = 1, "unexpected error: a traceback says where; please report it"
    INVALID = 2, "invalid campaign file, or wrong usage"
    LAB = 3, "lab fault: an instrument, its link or an analysis failed, and no trial can go on"
    MODEL = 4, "a model cannot be loaded, fitted or used, or a generation strategy fails"
    STORE = 5, "the store cannot be used, does not hold what was asked for, or a disk cannot be written"
    INTERRUPTED = 6, "stopped by Ctrl-C or 'athanor stop' after what was under way; 'athanor run' goes on"
    ABORTED = 130, "aborted by a second Ctrl-C; 'athanor run' goes on, trials may be uncertain"


_CODES: tuple[tuple[type[AthanorError], ExitCode], ...] = (
    (CampaignError, ExitCode.INVALID),
    (UnitError, ExitCode.INVALID),
    (TableError, ExitCode.INVALID),
    (LabError, ExitCode.LAB),
    (ModelError, ExitCode.MODEL),
    (PlannerError, ExitCode.MODEL),
    (StoreError, ExitCode.STORE),
)


def exit_code(error: AthanorError) -> ExitCode:
    """Return the exit code of an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.UNEXPECTED)


def unwritable(error: OSError) -> str:
    """Return what people are told of a disk that cannot be written."""
    what = error.filename or "what this command writes"
    return f"{what} cannot be written: {error.strerror}; make room there, or correct the rights"
