"""Athanor's own arm: the planner that runs campaigns, on the rows of a table or in a box."""

from __future__ import annotations

import csv
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch

from benchmarks.looking import looking
from benchmarks.planner.space import Choice, Numbers, Parameter, Readings, Real, Task
from benchmarks.planner.tables import GOOD
from benchmarks.trials import completed
from campaigns.campaign import Campaign
from campaigns.relative_paths import PARENT
from campaigns.values import Candidate, MetricValue
from loop.core.proposals import Proposal
from loop.planning.planner import Planner
from surrogates.models.encoder import Encoder

_ROWS = "rows.csv"

Noise = Literal["told", "one", "each"]
"""What the planner gets of the noise."""


class PlannerEngine:
    """Suggests what the planner of a campaign would.

    Args:
        noise: what it gets of the noise, if points are measured several times: the mean with its standard error, the
            mean alone, or each reading as a trial of its own.
    """

    def __init__(self, task: Task, seed: int, noise: Noise = "told") -> None:
        torch.set_num_threads(1)
        self._task, self._noise = task, noise
        campaign = _campaign(task, seed)
        self._planner = Planner(campaign, Encoder(campaign.space))
        self._open: dict[bytes, tuple[int, Candidate, Proposal]] = {}
        self._count = 0

    def suggest(self, pending: Numbers) -> Numbers:  # noqa: ARG002  # what is pending is open in the planner
        """Return the planner's point."""
        number, candidate, proposal = self._planner.suggest()
        self._count = number + 1
        point = self._task.point(dict(candidate.parameters))
        self._open[point.tobytes()] = (number, candidate, proposal)
        return point

    def tell(self, points: Numbers, readings: Readings) -> None:
        """Learn readings; points that were not suggested here are the start that all engines share."""
        known = np.nan_to_num(readings.sds) if self._noise == "told" else np.zeros_like(readings.sds)
        rounds = readings.replicates if self._noise == "each" else readings.values[None]
        for place, point in enumerate(points):
            for values in rounds[:, place]:
                self._learn(point, values, known[place])

    def _learn(self, point: Numbers, values: Numbers, sds: Numbers) -> None:
        pairs = enumerate(zip(values.tolist(), sds.tolist(), strict=True))
        metrics = {f"outcome{i}": MetricValue(value, sd, "1") for i, (value, sd) in pairs}
        known = self._open.pop(point.tobytes(), None)
        if known is None:
            start = Candidate(self._task.named(point))
            self._planner.recall([completed(self._count, start, Proposal("start"), metrics)])
            self._count += 1
        else:
            self._planner.ingest(completed(*known, metrics))


def _campaign(task: Task, seed: int) -> Campaign:
    """Return the task as a campaign file would put it."""
    names = [f"outcome{i}" for i in range(len(task.signs) + task.slacks)]
    goals = zip(names, task.signs, strict=False)
    parameters = {p.name: _parameter(p) for p in task.parameters}
    with TemporaryDirectory() as folder:
        rows = {} if task.rows is None else {"rows": {"file": _ROWS}}
        if task.rows is not None:
            _write(task, Path(folder) / _ROWS)
        data = {
            "name": "task",
            "seed": seed,
            "space": {"parameters": parameters, **rows},
            "metrics": {name: {"kind": "measured", "unit": "1"} for name in names},
            "objective": {
                "terms": [{"goal": _GOALS[sign], "metric": name, "scale": 1.0} for name, sign in goals],
                "constraints": [{"metric": name, "at_least": 0.0} for name in names[len(task.signs) :]],
                "find": _found(task),
            },
            "planner": {"initial": 2},
            "budget": {"trials": task.total},
        } | looking(names, parameters)
        campaign = Campaign.model_validate(data, context={PARENT: Path(folder)})
        assert (campaign.space.table is None) == (task.rows is None)  # read while the file is there
        return campaign


def _write(task: Task, file: Path) -> None:
    assert task.rows is not None
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [p.name for p in task.parameters])
        writer.writeheader()
        writer.writerows(task.named(row) for row in task.rows)


def _found(task: Task) -> dict[str, Any]:
    """Return what is looked for: the front, many of the best rows, or the best point."""
    if len(task.signs) > 1:
        return {"kind": "pareto"}
    return {"kind": "best"} if task.rows is None else {"kind": "many", "share": GOOD}


_GOALS = {1.0: "maximise", -1.0: "minimise"}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    match parameter:
        case Real(low=low, high=high):
            return {"kind": "float", "unit": "1", "low": low, "high": high}
        case Choice(levels=levels):
            return {"kind": "categorical", "levels": list(levels)}
