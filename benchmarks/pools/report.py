"""The tables of the benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from benchmarks.grids import Grid
from benchmarks.pools.calibration import Model, Outcome, Trial
from benchmarks.pools.engine import Arm, Record
from benchmarks.pools.figures import MARKS, Figures, figures
from benchmarks.pools.forecasts import Forecasts, coverage, mean_error
from benchmarks.pools.tasks import Bound, Setting
from benchmarks.pools.zero_label import FIRST, Prior, ZeroLabel
from benchmarks.statistics import Interval, mean_interval, median_interval, paired_mean_ratio

Runs = Mapping[str, Mapping[int, Record]]
"""By arm and seed."""

_LEVELS = (0.5, 0.95)


@dataclass(frozen=True)
class Compared:
    """The arms on one task.

    Attributes:
        unfit: why an arm has no runs, by its name.
    """

    setting: Setting
    arms: Sequence[Arm]
    runs: Runs
    unfit: Mapping[str, str]

    def figures(self, arm: Arm) -> dict[int, Figures]:
        """Return an arm's figures by seed."""
        return {seed: figures(record, self.setting) for seed, record in sorted(self.runs[arm.name].items())}

    @property
    def present(self) -> tuple[Arm, ...]:
        """Return the arms that have runs."""
        return tuple(arm for arm in self.arms if self.runs.get(arm.name))


def shares(task: Compared) -> Grid:
    """Return the share of the top 1 % that each arm has found after each number of experiments."""
    header = ("arm", "seeds", *(f"by {mark}" for mark in MARKS), f"median by {MARKS[-1]}")
    rows = [_share_row(arm.name, list(task.figures(arm).values())) for arm in task.present]
    best = int(task.setting.best.sum())
    title = f"{task.setting.task.name}: share of the top 1 % ({best} of {len(task.setting.pool)} rows) found"
    unfit = [f"{name} cannot run: {why}." for name, why in task.unfit.items()]
    noise = ", ".join(f"{q.column} {q.sd:.2g} {q.unit}".strip() for q in task.setting.task.quantities)
    notes = (f"{task.setting.task.about}. Mean (90 % bootstrap interval) over seeds. Noise: {noise}.", *unfit)
    return Grid(title, header, tuple(rows), notes)


def arrivals(task: Compared) -> Grid:
    """Return how soon a tenth of the top 1 % was found, and the hits, the best and the cost of each arm."""
    hits = bool(task.setting.task.hits)
    header = ("arm", "experiments to a tenth", *(("hits",) if hits else ()), "best merit", "CPU s per iteration")
    rows = [_arrival_row(arm.name, list(task.figures(arm).values()), hits) for arm in task.present]
    count, size = int(task.setting.hits.sum()), len(task.setting.pool)
    words = " and ".join(_bound(bound) for bound in task.setting.task.hits)
    notes = [f"A tenth of the top 1 %: median; means otherwise. Best merit there is: {task.setting.merit.max():.3g}."]
    if hits:
        notes.append(f"Hits: {words}; {count} rows, {count / size:.2%} of the pool.")
    return Grid(f"{task.setting.task.name}: arrivals and costs", header, tuple(rows), tuple(notes))


def ratios(tasks: Sequence[Compared]) -> Grid:
    """Return the ratio of our arms' mean share of the top 1 % to every other arm's, with as many experiments."""
    mark = MARKS[-1]
    rows = [
        (task.setting.task.name, ours.name, other.name, *_ratio(task.figures(ours), task.figures(other)))
        for task in tasks
        for ours in task.present
        for other in task.present
        if ours.ours and not other.ours
    ]
    header = ("task", "arm", "against", "seeds", *(f"ratio by {mark}" for mark in MARKS))
    notes = (f"Ratio of the mean shares (90 % bootstrap interval, paired by seed); {mark} experiments at most.",)
    return Grid("ratios of the share of the top 1 %", header, tuple(rows), notes, words=3)


def campaign_calibration(tasks: Sequence[Compared]) -> Grid:
    """Return the coverage of what was predicted of the chosen rows before they were measured."""
    rows = [
        (
            task.setting.task.name,
            arm.name,
            quantity.column,
            *_covered([record.forecasts[quantity.column] for record in of]),
        )
        for task in tasks
        for arm in task.present
        if (of := [record for record in task.runs[arm.name].values() if record.forecasts])
        for quantity in task.setting.task.quantities
    ]
    header = ("task", "arm", "quantity", "50 % interval", "95 % interval", "mean error")
    return Grid("calibration in the campaigns: rows chosen by the arm", header, tuple(rows), (_CALIBRATION,), words=3)


def calibration(outcomes: Mapping[tuple[Model, Trial], Outcome]) -> Grid:
    """Return coverage and error on random rows of the chemistries trained on, and of one held out."""

    def kind(pair: tuple[Model, Trial]) -> tuple[str, str, int]:
        model, trial = pair
        return trial.quantity.column, model.name, trial.size

    rows = []
    for (column, name, size), group in groupby(sorted(outcomes, key=kind), key=kind):
        found = [outcomes[pair] for pair in group]
        known, unseen = _covered([each.known for each in found]), _covered([each.unseen for each in found])
        rows.append((column, name, str(size), str(len(found)), *known, *unseen))
    sides = [f"{figure}, {side}" for side in ("known", "unseen") for figure in ("50 %", "95 %", "mean error")]
    header = ("quantity", "model", "rows", "seeds", *sides)
    notes = (
        "Known: anion chemistries in the training rows; unseen: the one left out, another in each seed.",
        _CALIBRATION,
    )
    return Grid("calibration: random rows", header, tuple(rows), notes, words=2)


def zero_label(found: Sequence[tuple[Setting, Prior, ZeroLabel]]) -> Grid:
    """Return what rankings find before anything is measured."""
    header = (
        "task",
        "ranking",
        "share by 200",
        "Spearman",
        *(h for n in FIRST for h in (f"top 1 % in first {n}", "mean rank")),
    )
    rows = [
        (setting.task.name, prior.name, f"{z.share:.2f}", f"{z.spearman:.2f}", *_first(z))
        for setting, prior, z in found
    ]
    notes = (
        "In brackets what random choice is expected to find, and the chance that it finds as many.",
        "Mean rank of the batch's true merits: 1 for the best of the pool, 0 for the worst, 0.5 for random choice.",
    )
    return Grid("rankings without any label", header, tuple(rows), notes, words=2)


_CALIBRATION = (
    "Share of true values inside the central interval (90 % bootstrap interval over seeds), by the randomised "
    "probability integral transform, which allows for lumps of probability such as a gap of zero."
)


def _share_row(name: str, of: Sequence[Figures]) -> tuple[str, ...]:
    means = [_text(mean_interval([f.shares[i] for f in of]), "{:.3f}") for i in range(len(MARKS))]
    return (name, str(len(of)), *means, _text(median_interval([f.shares[-1] for f in of]), "{:.3f}"))


def _arrival_row(name: str, of: Sequence[Figures], hits: bool) -> tuple[str, ...]:
    cells = [_text(median_interval([f.tenth for f in of]), "{:.0f}")]
    if hits:
        cells.append(_text(mean_interval([f.hits for f in of]), "{:.1f}"))
    best = _text(mean_interval([f.best for f in of]), "{:.3g}")
    return (name, *cells, best, f"{np.mean([f.cpu for f in of]):.2f}")


def _ratio(ours: Mapping[int, Figures], other: Mapping[int, Figures]) -> Iterator[str]:
    seeds = sorted(set(ours) & set(other))
    yield str(len(seeds))
    for i in range(len(MARKS)):
        yield (
            "–"
            if not seeds
            else _text(
                paired_mean_ratio([ours[s].shares[i] for s in seeds], [other[s].shares[i] for s in seeds]), "{:.2f}"
            )
        )


def _covered(of: Sequence[Forecasts]) -> tuple[str, ...]:
    shares_ = [_text(mean_interval([coverage(each, level) for each in of]), "{:.2f}") for level in _LEVELS]
    return (*shares_, _text(mean_interval([mean_error(each) for each in of]), "{:.3f}"))


def _first(found: ZeroLabel) -> Iterator[str]:
    for i in range(len(FIRST)):
        yield f"{found.found[i]} ({found.expected[i]:.2f}, {found.luck[i]:.2g})"
        yield f"{found.rank[i]:.2f}"


def _text(interval: Interval, form: str) -> str:
    shown: Callable[[float], str] = lambda v: "never" if np.isinf(v) else form.format(v)  # noqa: E731
    return f"{shown(interval.value)} ({shown(interval.low)} to {shown(interval.high)})"


def _bound(bound: Bound) -> str:
    low = f"{bound.low:g} < " if np.isfinite(bound.low) else ""
    high = f" ≤ {bound.high:g}" if np.isfinite(bound.high) else ""
    return f"{low}{bound.column}{high}"
