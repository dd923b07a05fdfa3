"""What stations of a lab file gave for their standards: an append-only file beside it, which its campaigns share.

A line is a measurement, a job of a station since, or that somebody has said of one that is off that it may be used
again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loop.core.standard_runs import StandardRun
from loop.storage.lab_files.lab_lock import shared_folder
from loop.storage.lab_files.shared_lines import SharedLines


@dataclass(frozen=True, slots=True)
class StandardNote:
    """A line of the ledger.

    Attributes:
        station: of which it is.
        campaign: id of the campaign that has written it.
        time: when, in seconds since the epoch.
        run: the measurement, by its fields; None of other lines.
        job: token of a job; empty of other lines.
        settled: by whom and why the station may be used again; empty of other lines.
        adjusted: whether that is as it was adjusted, so that its standard is measured again.
    """

    station: str
    campaign: str
    time: float
    run: Mapping[str, Any] | None = None
    job: str = ""
    settled: tuple[str, ...] = ()
    adjusted: bool = False


class StandardLedger:
    """The standards of a lab file, as one campaign shares them with others.

    Args:
        lab_file: beside which it lies.
        campaign: what tells the campaign from all others.
    """

    def __init__(self, lab_file: Path, campaign: str) -> None:
        self.path, self._campaign = shared_folder(lab_file) / "standards.jsonl", campaign
        self._lines = SharedLines(self.path, "keeps standards", "correct or remove the line, and start the run again")
        self.notes: list[StandardNote] = []

    def look(self) -> list[StandardNote]:
        """Read what was added since; return it.

        Raises:
            LabError: the file cannot be read.
        """
        new = self._lines.read(_note)
        self.notes += new
        return new

    @property
    def is_behind(self) -> bool:
        """Whether something was added since it was read."""
        return self._lines.is_behind

    def others(self) -> Iterator[StandardNote]:
        """Yield what other campaigns have written, as far as it was read."""
        return (note for note in self.notes if note.campaign != self._campaign)

    def add_run(self, run: StandardRun) -> None:
        """Note a measurement."""
        self._add(StandardNote(run.station, self._campaign, run.time, run=asdict(run)))

    def add_job(self, station: str, token: str) -> None:
        """Note a job of a station, once."""
        self.look()
        if not any(note.job == token for note in self.notes):
            self._add(StandardNote(station, self._campaign, time.time(), job=token))

    def settle(self, station: str, by: str, reason: str, *, adjusted: bool = False) -> None:
        """Note that a station may be used again, by whom and why, and whether its standard is measured again."""
        note = StandardNote(station, self._campaign, time.time(), settled=(by, reason), adjusted=adjusted)
        self._add(note)

    def _add(self, note: StandardNote) -> None:
        self._lines.add(asdict(note))
        self.look()


def _note(line: bytes) -> StandardNote:
    body = json.loads(line)
    return StandardNote(**{**body, "settled": tuple(body["settled"])})
