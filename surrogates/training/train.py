"""Training of a network on a table, and what is known of it afterwards."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from campaigns.errors import ModelError
from surrogates.training.dataset import Dataset, Skipped
from surrogates.training.graphs import Graph
from surrogates.training.networks import GraphMaker, lend_embeddings, new_network, rescale, save
from surrogates.training.predictions import Prediction, predictions_of, write_predictions
from surrogates.training.record import (
    CurvePoint,
    Epoch,
    Kind,
    Sizes,
    TargetRange,
    TrainingRecord,
    weights_hash,
    write_record,
)
from surrogates.training.scores import calibrate, score
from surrogates.training.split import split_rows
from surrogates.training.training_loop import Samples, Schedule, Step, train_network, values_of

_CURVE = (0.25, 0.5)  # shares of the training rows, before all of them
_PATIENCE = 0.25  # of all epochs
_DISTRIBUTIONS = ("athanor-sdl", "matgl", "torch", "pymatgen")


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train.

    Attributes:
        epochs: most passes over the rows.
        seed: of the split, the first weights and the order of the rows.
        learning_curve: whether to train on a quarter and on half of the rows too.
    """

    kind: Kind = "megnet"
    epochs: int = 100
    seed: int = 0
    learning_curve: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """An epoch that has ended, of one of the trainings.

    Attributes:
        training: number of the training, from 1.
        trainings: how many there are.
        epochs: most epochs of this one.
        epoch: errors in the target's unit.
        best: the one of the least validation error so far, if any was better than the first weights.
    """

    training: int
    trainings: int
    epochs: int
    epoch: Epoch
    best: Epoch | None


OnEpoch = Callable[[Report], None]


@dataclass(frozen=True)
class Trained:
    """A trained network that is in no folder yet.

    Attributes:
        record: all that is known of it but the hash of its files.
        held_out: its predictions of the held-out rows.
    """

    network: torch.nn.Module
    record: TrainingRecord
    held_out: tuple[Prediction, ...]

    def write(self, folder: Path) -> TrainingRecord:
        """Write matgl's files, the record and the predictions into a folder, and return the record."""
        save(self.network, folder)
        record = replace(self.record, weights=weights_hash(folder))
        write_record(record, folder)
        write_predictions(self.held_out, folder)
        return record


def train(data: Dataset, settings: TrainingSettings, on_epoch: OnEpoch) -> Trained:
    """Train a network that gives the target in its unit.

    The same rows and settings give the same weights, whatever the order of the rows.

    Raises:
        ModelError: there are too few rows, their values are all equal, or the training diverged.
    """
    begun = time.monotonic()
    bench = _Bench(data, settings, on_epoch)
    curve = bench.curve() if settings.learning_curve else ()
    network, course = bench.train(bench.split.training, len(curve) + 1)
    predicted = bench.said(network, np.arange(len(bench.graphs)))
    rescale(network, bench.spread, bench.middle)
    lend_embeddings(network, bench.data.elements_of(bench.split.training))
    record = replace(bench.record(course, predicted, curve), seconds=time.monotonic() - begun)
    return Trained(network, record, predictions_of(bench.data, bench.split.held_out, predicted))


@dataclass
class _Course:
    """How a training goes."""

    epochs: list[Epoch] = field(default_factory=list)
    best: Epoch | None = None


class _Bench:
    """Everything that the trainings on one table share: graphs, split, scaled targets."""

    def __init__(self, data: Dataset, settings: TrainingSettings, on_epoch: OnEpoch) -> None:
        self.settings, self._on_epoch = settings, on_epoch
        self.data, self.graphs = with_graphs(data.in_order(), GraphMaker(new_network(settings.kind, settings.seed)))
        self.split = split_rows(self.data.labels, settings.seed)
        known = self.data.values[self.split.training]
        self.middle, self.spread = float(known.mean()), float(known.std())
        if self.spread == 0:
            raise ModelError(f"all {len(known)} training rows have the value {known[0]:g}; there is nothing to learn")
        self._trainings = len(_CURVE) + 1 if settings.learning_curve else 1

    def curve(self) -> tuple[CurvePoint, ...]:
        """Return the held-out errors of models that were trained on fewer rows."""
        rows = np.random.default_rng(self.settings.seed).permutation(self.split.training)
        return tuple(
            self._point(rows[: max(round(share * len(rows)), 1)], number) for number, share in enumerate(_CURVE, 1)
        )

    def train(self, rows: NDArray[np.int64], number: int) -> tuple[Any, _Course]:
        """Return a network trained on some rows, which gives scaled values, and how it went."""
        settings = self.settings
        schedule = Schedule(settings.epochs, max(round(_PATIENCE * settings.epochs), 10), settings.seed)
        network = new_network(settings.kind, settings.seed)
        course = _Course()

        def on_step(step: Step) -> None:
            epoch = Epoch(step.number, step.training * self.spread, step.validation * self.spread)
            course.epochs.append(epoch)
            if step.best:
                course.best = epoch
            self._on_epoch(Report(number, self._trainings, settings.epochs, epoch, course.best))

        train_network(network, self._samples(rows), self._samples(self.split.validation), schedule, on_step)
        return network, course

    def said(self, network: Any, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what a network that gives scaled values says of some rows, in the target's unit."""
        scaled = values_of(network, [self.graphs[i] for i in rows]).double().numpy()
        return np.asarray(scaled * self.spread + self.middle)

    def record(self, course: _Course, predicted: NDArray[np.float64], curve: tuple[CurvePoint, ...]) -> TrainingRecord:
        """Return what is known of the network that was trained on all training rows."""
        split, data, settings = self.split, self.data, self.settings
        errors = predicted - data.values
        scores = score(predicted[split.held_out], data.values[split.held_out], self.middle)
        full = CurvePoint(len(split.training), scores.mae)
        return TrainingRecord(
            kind=settings.kind,
            target=data.target.name,
            unit=data.target.unit,
            source=data.source,
            rows=len(data.ids),
            left_out=len(data.skipped),
            seed=settings.seed,
            sizes=Sizes(len(split.training), len(split.validation), len(split.held_out), split.by),
            values=self._range(),
            scores=scores,
            calibration=calibrate(errors[split.validation], errors[split.held_out]),
            epochs=tuple(course.epochs),
            best_epoch=0 if course.best is None else course.best.number,
            seconds=0.0,
            elements=tuple(sorted(data.elements_of(split.training))),
            weights="",
            versions={name: version(name) for name in _DISTRIBUTIONS},
            learning_curve=(*curve, full) if curve else (),
        )

    def _point(self, rows: NDArray[np.int64], number: int) -> CurvePoint:
        network, _ = self.train(rows, number)
        held_out = self.split.held_out
        return CurvePoint(len(rows), float(np.mean(np.abs(self.said(network, held_out) - self.data.values[held_out]))))

    def _samples(self, rows: NDArray[np.int64]) -> Samples:
        scaled = (self.data.values[rows] - self.middle) / self.spread
        graphs = [self.graphs[i] for i in rows]
        return Samples(graphs, torch.tensor(scaled, dtype=torch.float32), torch.ones(len(rows)))

    def _range(self) -> TargetRange:
        values = self.data.values
        ((common, count),) = Counter(values.tolist()).most_common(1)
        low, high = float(values.min()), float(values.max())
        return TargetRange(low, high, self.middle, self.spread, common, count / len(values))


def with_graphs(data: Dataset, maker: GraphMaker) -> tuple[Dataset, Sequence[Graph]]:
    """Return the rows of which a network sees something, and their graphs; the others join those left out."""
    graphs: list[Graph] = []
    kept: list[int] = []
    skipped: list[Skipped] = []
    for i, structure in enumerate(data.structures):
        try:
            graphs.append(maker(structure))
        except ModelError as error:
            skipped.append(Skipped(data.ids[i], str(error)))
        else:
            kept.append(i)
    return data.only(kept, skipped), graphs
