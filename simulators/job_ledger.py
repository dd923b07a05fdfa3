"""What the virtual instruments remember when the controller dies: an append-only file of the jobs they have begun.

It is also the ground truth of what was really done: one line per job, and no job twice.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from campaigns.errors import LabError
from campaigns.values import Scalar


@dataclass(frozen=True, slots=True)
class PlacedSample:
    """One sample of a load: what it is known by, where it stands, and the settings of its place."""

    token: str
    sample: str
    material: str | None
    attempt: int
    place: int
    recipe: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A job that an instrument has begun.

    Attributes:
        instrument: name of the instrument's station.
        token: what the job is known by.
        sample: name of the sample.
        material: id of the pool entry; None in a campaign without a pool.
        step: name of the step.
        attempt: number of the attempt at the step.
        recipe: setting to value; of a furnace job this is what the sample really saw.
        started: lab time in seconds.
        load: the samples of a load; sample, material and attempt are those of the first then. Empty for one sample.
    """

    instrument: str
    token: str
    sample: str
    material: str | None
    step: str
    attempt: int
    recipe: Mapping[str, Scalar]
    started: float
    load: tuple[PlacedSample, ...] = ()

    @property
    def samples(self) -> tuple[LedgerEntry, ...]:
        """The same job as each of its samples saw it."""
        return (self,) if not self.load else tuple(map(self._of, self.load))

    def _of(self, one: PlacedSample) -> LedgerEntry:
        recipe = {**self.recipe, **one.recipe}
        header = (one.token, one.sample, one.material, self.step, one.attempt)
        return LedgerEntry(self.instrument, *header, recipe, self.started)


class JobLedger:
    """The jobs begun so far, in order, on disk and in memory.

    Args:
        path: a file of JSON lines; made when missing. A last line that was torn by a crash never counted, and is cut.

    Raises:
        LabError: another line cannot be read.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        self._entries = self._read()
        self._file = path.open("ab")

    def __iter__(self) -> Iterator[LedgerEntry]:
        return iter(tuple(self._entries))

    @property
    def latest(self) -> float:
        """The last lab time on record [s]; 0 when there is none."""
        return max((entry.started for entry in self._entries), default=0.0)

    def append(self, entry: LedgerEntry) -> None:
        """Record a job; it is on disk when this returns."""
        with self._lock:
            body = {key: value for key, value in asdict(entry).items() if value or key != "load"}
            self._file.write(json.dumps(body).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            self._entries.append(entry)

    def find(self, instrument: str, token: str) -> LedgerEntry | None:
        """Return the job ``token`` of an instrument; None when it has begun none."""
        found = (entry for entry in self._entries if entry.instrument == instrument and entry.token == token)
        return next(found, None)

    def last(self, instrument: str) -> LedgerEntry | None:
        """Return an instrument's last job; None when it has begun none."""
        return next((entry for entry in reversed(self._entries) if entry.instrument == instrument), None)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self) -> list[LedgerEntry]:
        self._path.touch()
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        os.truncate(self._path, whole)
        return [self._parse(number, line) for number, line in enumerate(content[:whole].splitlines(), 1)]

    def _parse(self, number: int, line: bytes) -> LedgerEntry:
        try:
            body = json.loads(line)
            load = tuple(PlacedSample(**one) for one in body.pop("load", ()))
            return LedgerEntry(**body, load=load)
        except (ValueError, TypeError) as error:
            raise LabError(
                f"{self._path}:{number}: got {line[:80]!r}; allowed: one job as JSON; restore the file from a copy"
            ) from error
