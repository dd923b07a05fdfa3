"""Which stations of a lab file people hold: an append-only file beside it, which its campaigns share.

A line is one order. It is written under a lock and synced; a last line that was torn by a crash never counted.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from campaigns.decisions import StationMode
from campaigns.errors import LabError
from loop.core.station_modes import StationOrder
from loop.storage.lab_lock import shared_folder

if TYPE_CHECKING:
    from campaigns.lab_rules import LabFileConfig

_FILE = "stations.jsonl"


class StationLedger:
    """What was ordered of the stations of a lab file, in any of its campaigns or for all of them.

    Args:
        path: of the file, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self._orders: list[StationOrder] = []

    @property
    def orders(self) -> Sequence[StationOrder]:
        """All orders, the latest last.

        Raises:
            LabError: the file cannot be read, so that nobody knows which stations are held.
        """
        try:
            if self.is_behind:
                with self.path.open("rb") as file:
                    file.seek(self._read)
                    whole, newline, _ = file.read().rpartition(b"\n")
                self._orders += [_order(line) for line in whole.split(b"\n")] if newline else []
                self._read += len(whole) + len(newline)
        except (OSError, ValueError, LookupError, TypeError) as error:
            advice = "correct or remove the line, and look which stations are to be held"
            raise LabError(f"{self.path}, which says who holds stations, cannot be read: {error}; {advice}") from error
        return tuple(self._orders)

    @property
    def is_behind(self) -> bool:
        """Whether something was added since it was read."""
        return self.path.exists() and self.path.stat().st_size > self._read

    def add(self, order: StationOrder) -> None:
        """Let an order hold for all campaigns on the lab file.

        Raises:
            LabError: it cannot be written.
        """
        try:
            self.path.parent.mkdir(exist_ok=True)
            with self.path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)  # without a torn line
                file.write(json.dumps(asdict(order)).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise LabError(f"{self.path} cannot be written, which says who holds stations: {error.strerror}") from error


def stations_file(lab_file: Path) -> Path:
    """Return where it is kept which stations of a lab file people hold."""
    return shared_folder(lab_file) / _FILE


def station_ledger(rules: LabFileConfig | None) -> StationLedger | None:
    """Return what the campaigns on a lab file share; None where a campaign has its stations for itself."""
    if rules is None or rules.is_simulated:
        return None
    return StationLedger(stations_file(rules.path))


def ledger_beside(stop_file: Path) -> StationLedger:
    """Return what is shared in the laboratory that a file stands for as its emergency stop."""
    return StationLedger(stop_file.resolve().with_suffix(".lab") / _FILE)


def _order(line: bytes) -> StationOrder:
    body = json.loads(line)
    return StationOrder(**{**body, "mode": StationMode(body["mode"])})
