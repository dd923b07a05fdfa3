"""How much there is of what steps use up: an append-only file beside the lab file, which all of its campaigns share.

A line is one change: what a job has used, by its token and once, what it has given back as nothing was moved, what was
refilled or counted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaigns.lab.consumables import ConsumableConfig
from loop.storage.lab_files.lab_lock import shared_folder
from loop.storage.lab_files.shared_lines import LineWriter, SharedLines

_FILE = "stock.jsonl"


_ROUNDING = 1e-9
"""Share of an amount that rounding may make of a difference. Not tuned: nobody weighs as exactly."""


def remaining(left: float, used: float) -> float:
    """Return what remains of an amount; what rounding leaves of a difference of equal amounts is nothing."""
    found = left - used
    return 0.0 if abs(found) <= _ROUNDING * max(abs(left), abs(used)) else found


@dataclass(frozen=True, slots=True)
class Stock:
    """How much there is of a consumable.

    Attributes:
        left: in its unit.
        reorder_at: amount below which it is refilled.
        low_since: since when it is below that, in seconds since the epoch; None while it is not.
        used: token to what its job has used.
    """

    left: float
    unit: str
    reorder_at: float
    low_since: float | None = None
    used: Mapping[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """How much is left, for people."""
        return f"{self.left:.6g} {self.unit}".removesuffix(" 1")

    @property
    def limit_text(self) -> str:
        """Below how much it is refilled, for people."""
        return f"{self.reorder_at:.6g} {self.unit}".removesuffix(" 1")

    def after(self, line: Mapping[str, Any]) -> Stock:
        """Return it after a line of the ledger."""
        left = float(line["left"]) if "left" in line else remaining(self.left, -float(line["change"]))
        used = dict(self.used)
        if token := line.get("token"):
            used[token] = used.get(token, 0.0) - float(line["change"])
        reorder_at = float(line["reorder_at"])
        since = self.low_since if self.low_since is not None else float(line["time"])
        return Stock(left, str(line["unit"]), reorder_at, since if remaining(left, reorder_at) < 0 else None, used)


def stock_file(lab_file: Path) -> Path:
    """Return the ledger of a lab file."""
    return shared_folder(lab_file) / _FILE


def stock_beside(stop_file: Path) -> Path:
    """Return the ledger of the laboratory that a file stands for as its emergency stop."""
    return stop_file.resolve().with_suffix(".lab") / _FILE


def read_stock(path: Path) -> dict[str, Stock]:
    """Return consumable to how much there is; nothing before anything was counted.

    Raises:
        LabError: the file cannot be read.
    """
    return _followed(_lines_of(path), {})


def _lines_of(path: Path) -> SharedLines:
    return SharedLines(path, "says what there is of consumables", "correct or remove the line, and count what is there")


def _followed(lines: SharedLines, before: Mapping[str, Stock]) -> dict[str, Stock]:
    """Return consumable to how much there is after the lines that were added since it was ``before``."""
    found = dict(before)

    def fold(line: bytes) -> None:
        change = json.loads(line)
        name = str(change["name"])
        found[name] = found.get(name, Stock(0.0, "1", 0.0)).after(change)

    lines.read(fold)
    return found


class StockLedger:
    """The consumables of a lab file.

    Args:
        lab_file: beside which it lies.
        consumables: as the lab file has them.
    """

    def __init__(self, lab_file: Path, consumables: Mapping[str, ConsumableConfig]) -> None:
        self.path, self.consumables = stock_file(lab_file), consumables
        self._lines, self._known = _lines_of(self.path), dict[str, Stock]()

    def now(self) -> dict[str, Stock]:
        """Return how much there is of each consumable, those included of which nobody has used any yet."""
        self._follow()
        return {**self._initial(), **self._known}

    def _follow(self) -> None:
        self._known = _followed(self._lines, self._known)

    def take(self, token: str, amounts: Mapping[str, float], by: str) -> None:
        """Note what a job uses, unless that was noted before."""
        with self._open() as writer:
            for name, amount in amounts.items():
                if self._known[name].used.get(token, 0.0) == 0.0 and amount > 0:
                    self._write(writer, {"name": name, "change": -amount, "token": token, "by": by})

    def give_back(self, token: str, by: str) -> None:
        """Note that a job has used nothing after all, if it had been noted that it does."""
        with self._open() as writer:
            for name, one in list(self._known.items()):
                if (amount := one.used.get(token, 0.0)) > 0:
                    self._write(writer, {"name": name, "change": amount, "token": token, "by": by})

    def refill(self, name: str, amount: float, by: tuple[str, str]) -> Stock:
        """Note that some of a consumable was added, by whom and why; return how much there is now."""
        with self._open() as writer:
            return self._write(writer, {"name": name, "change": amount, "by": by[0], "reason": by[1]})

    def count(self, name: str, amount: float, by: tuple[str, str]) -> Stock:
        """Note that somebody has counted a consumable, and why; return how much there is now."""
        with self._open() as writer:
            return self._write(writer, {"name": name, "left": amount, "by": by[0], "reason": by[1]})

    def _initial(self) -> dict[str, Stock]:
        return {
            name: Stock(one.read(one.stock), one.unit, one.read(one.reorder_at))
            for name, one in self.consumables.items()
        }

    @contextmanager
    def _open(self) -> Iterator[LineWriter]:
        """Open the ledger for one writer at a time, and begin to count what is new in the lab file."""
        with self._lines.writing() as writer:
            self._follow()
            for name, one in self._initial().items():
                if name not in self._known:
                    self._write(writer, {"name": name, "left": one.left, "by": "lab file"})
            yield writer

    def _write(self, writer: LineWriter, change: Mapping[str, Any]) -> Stock:
        name = str(change["name"])
        config = self.consumables[name]
        line = {**change, "time": time.time(), "unit": config.unit, "reorder_at": config.read(config.reorder_at)}
        writer.add(line)
        self._follow()
        return self._known[name]
