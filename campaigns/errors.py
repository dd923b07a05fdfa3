"""The errors that a user can cause or see. Each says what, got, allowed, and what to do.

AthanorError
├── CampaignError      the campaign file is wrong (exit code 2); carries every problem at once
├── UnitError          a unit is unknown or has the wrong dimension
├── TableError         a table, or a cell of it, cannot be read; a CampaignError where a campaign names it
├── LabError           an instrument or its link failed (exit code 3)
│   ├── LimitError     a setpoint lies outside the limits, or the limits cannot be read
│   ├── InterlockError  something that has to hold before anything moves does not, or cannot be read
│   │   └── EmergencyStopError  somebody has made an emergency stop, and nobody has cleared it
│   ├── StepError      a step ended without proof that it did what was asked
│   │   ├── LateError    it took longer than its time limit
│   │   ├── PlanError    the user's plan has a mistake, so that it fails in the same way each time
│   │   └── SampleError  the instrument is well, but the sample cannot be made or measured
│   ├── BusyError      an instrument is at another job; what waits for it waits
│   ├── NoAnswerError  an instrument, or who serves it, does not answer; it may do so later
│   ├── LabInUseError  another process drives the instruments of a lab file
│   ├── UnknownJobError  an instrument does not know the job it is asked about
│   └── AnalysisError  an analysis, or a computation, fails in the same way trial after trial
├── ModelError         a model cannot be loaded, fitted or used (exit code 4)
├── PlannerError       a generation strategy fails, is too slow, or proposes nothing that is allowed (exit code 4)
└── StoreError         the store cannot be used: wrong campaign, locked, unreadable (exit code 5)
    └── StoreInUseError  another process runs its campaign
"""

import difflib
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ATHANOR = Path(__file__).parents[1]
_LIBRARIES = (
    *(Path(sysconfig.get_path(key)) for key in ("stdlib", "platstdlib")),
    *(_ATHANOR / name for name in ("campaigns", "instruments", "surrogates", "simulators", "loop")),
)


class AthanorError(Exception):
    """Base of all errors that Athanor raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a campaign file.

    Attributes:
        where: key path in the file, such as ``space.parameters[0].low``; empty where the message names it.
        message: what is wrong, what was given, what is allowed.
        line: line in the file, from 1; None when the problem has no place.
    """

    where: str
    message: str
    line: int | None = None


class CampaignError(AthanorError):
    """The campaign file, or what the command line asks for, is wrong.

    Attributes:
        problems: everything found.
        source: where it stands, such as the file; empty for words of the command line, which the reader has written.
    """

    def __init__(self, problems: list[Problem], source: str = "campaign") -> None:
        self.problems = problems
        self.source = source
        super().__init__("\n".join(self.lines()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make a copy, as another process does."""
        return type(self), (self.problems, self.source)

    def lines(self) -> list[str]:
        """Return one ``file:line: key: message`` line per problem, without what is not known of file and key."""
        return [f"{self._place(p)}{p.message}" for p in sorted(self.problems, key=lambda p: p.line or 0)]

    def _place(self, problem: Problem) -> str:
        line = "" if problem.line is None else f":{problem.line}"
        return "".join(f"{place}: " for place in (self.source and f"{self.source}{line}", problem.where) if place)


class PlacedError(ValueError):
    """Parts of a section contradict each other; ``placed`` holds the key within the section, and the message."""

    def __init__(self, placed: list[tuple[str, str]]) -> None:
        self.placed = placed
        super().__init__("; ".join(message for _, message in placed))


class UnitError(AthanorError, ValueError):
    """A unit is unknown, or has another dimension than is needed."""


class TableError(AthanorError, ValueError):
    """A table, or a cell of it, cannot be read."""


class LabError(AthanorError):
    """An instrument, or the link to it, failed."""


class LimitError(LabError):
    """A setpoint lies outside the limits, or the limits cannot be read."""


class InterlockError(LabError):
    """What has to hold before anything moves does not hold, or cannot be read."""


class EmergencyStopError(InterlockError):
    """Somebody has made an emergency stop, and nobody has cleared it."""


class StepError(LabError):
    """A step ended without proof that the instrument did what was asked."""


class LateError(StepError):
    """A step took longer than its time limit; its instrument may be at it still, or have ended it since."""


class PlanError(StepError):
    """The code of a user's own plan has a mistake: it fails in the same way however often it is tried."""


class SampleError(StepError):
    """The instrument is well, and says that the sample cannot be made or measured."""


class BusyError(LabError):
    """An instrument is at another job, so that it could not begin one."""


class NotReservedError(BusyError):
    """A campaign does not have a station of a shared laboratory, or not any more."""


class ReservationLostError(NotReservedError):
    """A campaign does not have the station any more at which its job was begun: it has to ask for it, and attach."""


class NoAnswerError(LabError):
    """An instrument, or who serves it, does not answer; it may do so later."""


class LabInUseError(LabError):
    """Another process drives the instruments of a lab file."""


class UnknownJobError(LabError):
    """An instrument was asked about a job by its token and does not know it."""


class AnalysisError(LabError):
    """An analysis, or a computation, fails in the same way trial after trial."""


class ModelError(AthanorError):
    """A surrogate, or the weights that it needs, are not available."""


class PlannerError(AthanorError):
    """A generation strategy that the campaign names fails, is too slow, or proposes nothing that is allowed."""


class StoreError(AthanorError):
    """The store cannot be used."""


class StoreInUseError(StoreError):
    """Another process runs the campaign of the store."""


def called(function: Callable[..., Any], path: str, where: str, *values: Any, **settings: Any) -> Any:
    """Call user-defined code that a dotted path names.

    Args:
        where: the key of the campaign file that names it.

    Raises:
        CampaignError: it raises anything but an ``AthanorError``, which passes unchanged.
    """
    try:
        return function(*values, **settings)
    except AthanorError:
        raise
    except (Exception, SystemExit) as error:
        raise CampaignError([Problem(where, f"{path} raised {raised_by(error, path, where)}")]) from error


def raised_by(error: BaseException, path: str = "", where: str = "") -> str:
    """Return what an error of user-defined code says, and the last line of that code in the traceback.

    Args:
        path: dotted path of the function: its package is user-defined, wherever it is installed.
        where: the key of the campaign file that names it, to correct if no user-defined line is in the traceback.
    """
    said = ": ".join(filter(None, [type(error).__name__, " ".join(str(error).split()).rstrip(".")]))
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is our own call
    own = [frame for frame in frames if is_own(frame.filename, path)]
    if where and not own:
        return f"{said}; correct {where}"
    others = [frame for frame in frames if "importlib" not in frame.filename]
    frame = own[-1] if own else (others or traceback.extract_tb(error.__traceback__))[0]
    return f"{said} ({frame.filename}:{frame.lineno}); correct it there"


def is_own(file: str, path: str) -> bool:
    """Return whether a file of code is the user's: not Python's, not Athanor's, not installed.

    Args:
        file: as Python names it in a traceback.
        path: dotted path of an object; the package that it is in is the user's, wherever it is.
    """
    top = getattr(sys.modules.get(path.partition(":")[0].partition(".")[0]), "__file__", None)
    if top is not None and (file == top or (Path(top).stem == "__init__" and Path(top).parent in Path(file).parents)):
        return True
    place = Path(file)
    library = {"site-packages", "dist-packages"}.intersection(place.parts) or file.startswith("<")
    return not library and not any(home in place.parents for home in _LIBRARIES)


def suggestion(got: str, allowed: Iterable[str]) -> str:
    """Return ``', did you mean x'`` where one of the allowed words is similar, else an empty text."""
    near = difflib.get_close_matches(got, list(allowed), n=1)
    return f", did you mean {near[0]!r}" if near else ""
