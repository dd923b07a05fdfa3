"""How good a trained model is on data that it has not seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surrogates.features.embeddings import Progress, embed
from surrogates.training.dataset import Dataset
from surrogates.training.record import Scores, read_record
from surrogates.training.scores import coverage, score


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model against new data.

    Attributes:
        levels: nominal coverages, k.
        coverage: share of the values in the intervals that the validation rows gave, k.
        unseen: elements that were not in the training rows, with the number of rows that hold them.
        familiar: scores of the rows that hold none of those; None where that is all or none of them.
    """

    scores: Scores
    levels: tuple[float, ...]
    coverage: tuple[float, ...]
    unseen: dict[str, int]
    familiar: Scores | None


def evaluate(folder: Path, data: Dataset, progress: Progress | None = None) -> Evaluation:
    """Return how a trained model's predictions agree with data in the unit of its training.

    Raises:
        ModelError: the folder is no trained model, or a structure cannot be evaluated.
    """
    from surrogates.features.matgl_model import MatglModel

    record = read_record(folder)
    predicted = embed(data.structures, MatglModel(str(folder)), progress=progress).energy
    known = frozenset(record.elements)
    familiar = np.array([elements <= known for elements in data.labels.elements])
    some = familiar.any() and not familiar.all()
    mean = record.values.mean
    return Evaluation(
        score(predicted, data.values, mean),
        record.calibration.levels,
        coverage(predicted - data.values, record.calibration.widths),
        dict(Counter(symbol for elements in data.labels.elements for symbol in sorted(elements - known))),
        score(predicted[familiar], data.values[familiar], mean) if some else None,
    )
