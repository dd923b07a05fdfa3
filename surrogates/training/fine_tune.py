"""Fine-tuning of a trained model on few measurements, and whether that was any good.

Every row is held back once: the rows are divided into folds by composition, and each fold is predicted by a model that
was tuned on the others. The model in use has to predict the same rows after a slope and an offset were fitted to the
others, as the campaign's regression on it does; so a tuned model is better only if it knows more than that.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from campaigns.errors import ModelError
from campaigns.units import convert
from surrogates.features.matgl_model import MatglModel
from surrogates.pools.pymatgen_json import structure_of
from surrogates.training.dataset import Dataset, Target
from surrogates.training.fine_tune_process import TuningResult
from surrogates.training.networks import GraphMaker, load, rescale, save
from surrogates.training.out_of_fold import Folds, read_folds, write_folds
from surrogates.training.record import Epoch, Sizes, TrainingRecord, read_record, weights_hash, write_record
from surrogates.training.scores import calibrate, score
from surrogates.training.split import fold_of
from surrogates.training.training_loop import Samples, Schedule, Step, train_network, values_of

Numbers = NDArray[np.float64]

FOLDS = 4
_INNER = 5  # one row in so many decides when to stop
_LEAST_GROUPS = 8
_BEYOND_CHANCE = 1.64  # standard errors: a twentieth of a normal distribution lies above
_WORTH_A_CHANGE = 0.02  # of the error
_RATE, _BODY = 1e-3, 0.1
"""A third of the rate of a training from scratch for the head, and a tenth of that for the layers before it: what the
base knows of crystals is to be bent, not replaced, by so few rows."""


@dataclass(frozen=True)
class Work:
    """A task, with everything in the unit of the base's training.

    Attributes:
        base: folder of the model to begin with.
        current: folder of the model to beat.
        data: n materials.
        sds: n, standard uncertainties of the values.
    """

    base: Path
    current: Path
    data: Dataset
    sds: Numbers
    epochs: int
    seed: int


def read_task(text: str) -> Work:
    """Return the task that the parent wrote.

    Raises:
        ModelError: the base is no trained model.
        UnitError: its unit is of another dimension than the values'.
    """
    content = json.loads(text)
    base, rows, unit = Path(content["base"]), content["rows"], content["unit"]
    record = read_record(base)
    factor = convert(1.0, unit, record.unit) - convert(0.0, unit, record.unit)  # of differences, whatever the zeros are
    data = Dataset(
        "measurements",
        Target(record.target, record.unit),
        tuple(row["id"] for row in rows),
        tuple(structure_of(row["structure"]) for row in rows),
        np.array([convert(row["value"], unit, record.unit) for row in rows]),
    )
    sds = np.array([row["sd"] * abs(factor) for row in rows])
    return Work(base, Path(content["current"]), data, sds, content["epochs"], content["seed"])


def tune(work: Work, folder: Path) -> TuningResult:
    """Tune, compare on held-back rows, and write the tuned model into a folder if it is better.

    The same task gives the same result and the same weights.

    Raises:
        ModelError: there are too few materials, a model cannot be read, or the training diverged.
    """
    tuner = _Tuner(work)
    before, after = tuner.held_back()
    verdict = compare(np.abs(before - work.data.values), np.abs(after - work.data.values), tuner.groups)
    result = TuningResult("no better", "", len(work.data.ids), verdict.before, verdict.after)
    if not verdict.better:
        return replace(result, reason=verdict.text(work.data.target.unit))
    tuner.write(folder, after)
    return replace(result, outcome="better", reason=verdict.text(work.data.target.unit))


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """Two models on the same held-back rows.

    Attributes:
        before: mean absolute error of the model in use.
        after: mean absolute error of the tuned model.
        gain: mean over groups of how much smaller the tuned model's error is.
        sd: standard error of the gain.
    """

    before: float
    after: float
    gain: float
    sd: float

    @property
    def better(self) -> bool:
        """Return whether the tuned model's error is smaller beyond chance, and by enough.

        Beyond chance: when nothing was gained, one case in twenty is; a single lucky row is not. And by enough to be
        worth the change: a model that has barely moved from the one in use passes the first condition as often.
        """
        return self.gain > max(_BEYOND_CHANCE * self.sd, _WORTH_A_CHANGE * self.before)

    def text(self, unit: str) -> str:
        """Return the comparison in a sentence."""
        errors = f"MAE on held-back materials {self.after:.3g} against {self.before:.3g} {unit}"
        return f"{errors}; gain {self.gain:.2g} ± {self.sd:.2g}"


def compare(before: Numbers, after: Numbers, groups: list[str]) -> ModelComparison:
    """Compare absolute errors, n each, of two models; rows of one group are no independent evidence."""
    names = np.array(groups)
    gains = np.array([np.mean((before - after)[names == name]) for name in dict.fromkeys(groups)])
    sd = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    return ModelComparison(float(before.mean()), float(after.mean()), float(gains.mean()), sd)


class _Tuner:
    """Graphs, folds and predictions that all trainings share."""

    def __init__(self, work: Work) -> None:
        self.work, self.record = work, read_record(work.base)
        labels = work.data.labels
        formulas, structures = list(labels.formulas), list(labels.structures)
        self._by: Literal["formula", "structure"] = "formula" if len(set(formulas)) >= _LEAST_GROUPS else "structure"
        self.groups = formulas if self._by == "formula" else structures
        self._folds = np.array([fold_of(group, FOLDS, work.seed) for group in self.groups])
        used = len(set(self._folds.tolist()))
        if len(set(self.groups)) < _LEAST_GROUPS or used < FOLDS:
            raise ModelError(
                f"got {len(set(self.groups))} different materials, in {used} of {FOLDS} folds; tuning needs at least "
                f"{_LEAST_GROUPS}, and some in each fold"
            )
        maker = GraphMaker(load(work.base))
        self._graphs = [maker(structure) for structure in work.data.structures]
        self._of_base = _said(work.base, work.data)
        noise = max(self.record.scores.rmse, 1e-6 * self.record.values.sd)
        self._weights = noise**2 / (noise**2 + work.sds**2)

    def held_back(self) -> tuple[Numbers, Numbers]:
        """Return what the model in use and tuned ones say of each row, n each, without having seen its group."""
        known = _said(self.work.current, self.work.data)
        before, after = np.empty(len(known)), np.empty(len(known))
        for fold in range(FOLDS):
            back, rest = np.flatnonzero(self._folds == fold), np.flatnonzero(self._folds != fold)
            slope, offset = self._line(known, rest)
            before[back] = slope * known[back] + offset
            after[back] = self._predicted(self._tuned(rest)[0], back)
        return before, after

    def write(self, folder: Path, held_back: Numbers) -> None:
        """Write a model tuned on all rows, with its record and what was said of the rows while they were held back."""
        network, steps = self._tuned(np.arange(len(self.groups)))
        rescale(network, self.record.values.sd, self.record.values.mean)
        save(network, folder)
        write_folds(Folds(_means(self.work.data.labels.structures, held_back)), folder)
        write_record(replace(self._record(held_back, steps), weights=weights_hash(folder)), folder)

    def _tuned(self, rows: NDArray[np.int64]) -> tuple[Any, list[Step]]:
        """Return a network tuned on some rows, which gives scaled values, and its epochs."""
        work, middle, spread = self.work, self.record.values.mean, self.record.values.sd
        slope, offset = self._line(self._of_base, rows)
        network = load(work.base)
        rescale(network, slope / spread, (offset - middle) / spread)
        inner = np.array([fold_of(self.groups[row], _INNER, work.seed + 1) == 0 for row in rows])
        training, judge = (rows[~inner], rows[inner]) if inner.any() and not inner.all() else (rows, rows)
        schedule = Schedule(work.epochs, max(work.epochs // 3, 5), work.seed, _RATE, _BODY)
        return network, train_network(network, self._samples(training), self._samples(judge), schedule)

    def _predicted(self, network: Any, rows: NDArray[np.int64]) -> Numbers:
        scaled = values_of(network, [self._graphs[row] for row in rows]).double().numpy()
        return np.asarray(scaled * self.record.values.sd + self.record.values.mean)

    def _line(self, known: Numbers, rows: NDArray[np.int64]) -> tuple[float, float]:
        """Return the slope, not below 0, and the offset of the values of some rows against what a model says."""
        weights, x, y = self._weights[rows], known[rows], self.work.data.values[rows]
        middle, height = np.average(x, weights=weights), np.average(y, weights=weights)
        spread = float(np.sum(weights * (x - middle) ** 2))
        slope = max(float(np.sum(weights * (x - middle) * (y - height))) / spread, 0.0) if spread > 0 else 0.0
        return slope, float(height - slope * middle)

    def _samples(self, rows: NDArray[np.int64]) -> Samples:
        scaled = (self.work.data.values[rows] - self.record.values.mean) / self.record.values.sd
        weights = torch.tensor(self._weights[rows], dtype=torch.float32)
        return Samples([self._graphs[row] for row in rows], torch.tensor(scaled, dtype=torch.float32), weights)

    def _record(self, held_back: Numbers, steps: list[Step]) -> TrainingRecord:
        """Return the base's record, with the scores of the tuned model on the campaign's data."""
        data, base, spread = self.work.data, self.record, self.record.values.sd
        errors = held_back - data.values
        return replace(
            base,
            source=f"{base.source}, then {len(data.ids)} {data.source}",
            rows=base.rows + len(data.ids),
            seed=self.work.seed,
            sizes=Sizes(len(data.ids), 0, len(data.ids), self._by),
            scores=score(held_back, data.values, float(data.values.mean())),
            calibration=calibrate(errors, errors),
            epochs=tuple(Epoch(step.number, step.training * spread, step.validation * spread) for step in steps),
            best_epoch=max((step.number for step in steps if step.best), default=0),
            elements=tuple(sorted({*base.elements, *data.elements_of(range(len(data.ids)))})),
            learning_curve=(),
        )


def _said(folder: Path, data: Dataset) -> Numbers:
    """Return what a model says of each row, n; of rows that it was tuned on, what was said before."""
    said = MatglModel(str(folder)).evaluate(data.structures).energy
    return read_folds(folder).applied(data.labels.structures, said)


def _means(keys: Sequence[str], values: Numbers) -> dict[str, float]:
    """Return each structure's value; the mean of those that it was given."""
    names = np.array(keys)
    return {key: float(values[names == key].mean()) for key in dict.fromkeys(keys)}
