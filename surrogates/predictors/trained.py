"""A trained model as a predictor of a metric, such as its prior mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Composition

from campaigns.errors import ModelError
from campaigns.units import convert, same_dimension
from surrogates.features.embeddings import Progress
from surrogates.pools.pool import Pool, Predictor, in_unit
from surrogates.training.out_of_fold import read_folds
from surrogates.training.record import TrainingRecord, read_record


def trained_prior(folder: Path, progress: Progress | None = None) -> Predictor:
    """Return a predictor: what a trained model says of each entry's structure, n, in the unit of its training.

    A material that the model was tuned on is predicted by the model that was tuned without it, so that its error is as
    large as that of the others. An element that was never seen counts as its neighbour on Pettifor's scale; ``caveats``
    names those.

    Args:
        folder: what ``athanor surrogate train`` wrote, or a tuning.
        progress: called with how many structures are done and how many there are.

    Raises:
        ModelError: the folder is no trained model, or cannot evaluate a structure.
    """
    record = read_record(folder)

    @in_unit(record.unit)
    def predict(pool: Pool) -> NDArray[np.float64]:
        from surrogates.features.matgl_model import MatglModel  # torch, which a check of the folder does without
        from surrogates.pools.pool_embeddings import embed_pool

        said = embed_pool(pool, MatglModel(str(folder)), progress).energy
        return read_folds(folder).applied(pool.keys, said)

    return predict


def prior_values(folder: Path, pool: Pool, unit: str, progress: Progress | None = None) -> NDArray[np.float64]:
    """Return what a trained model says of each entry, n, in a metric's unit.

    Raises:
        ModelError: the folder is no trained model, or one of another quantity.
    """
    check_prior(folder, unit)
    predictor = trained_prior(folder, progress)
    return np.array([convert(value, predictor.unit, unit) for value in predictor(pool).tolist()])


def check_prior(folder: Path, unit: str) -> TrainingRecord:
    """Return the record of a model that can be the prior of a metric; this loads no torch.

    Raises:
        ModelError: the folder is no trained model, or one of another quantity.
    """
    record = read_record(folder)
    if not same_dimension(record.unit, unit):
        raise ModelError(
            f"{folder} predicts {record.label}; allowed: a model of a quantity that can be given in {unit}"
        )
    return record


def caveats(folder: Path, pool: Pool) -> list[str]:
    """Return what should be known of a model's predictions for a pool, one sentence each.

    Raises:
        ModelError: the folder is no trained model.
    """
    record = read_record(folder)
    found = []
    if strange := unseen_elements(record, pool):
        names = ", ".join(f"{symbol} (in {count} materials)" for symbol, count in strange.items())
        found.append(f"{folder} was trained without {names}; each of them counts as the element most like it")
    if not record.scores.useful:
        found.append(
            f"{folder} predicts {record.target} no better than its mean does: MAE {record.scores.mae:.3g} against "
            f"{record.scores.mean_mae:.3g} {record.unit} on held-out rows"
        )
    return found


def unseen_elements(record: TrainingRecord, pool: Pool) -> Mapping[str, int]:
    """Return each element of a pool that the model has not seen, with the number of entries that hold it."""
    formulas = Counter(pool.formulas)
    counts: Counter[str] = Counter()
    for formula, count in formulas.items():
        counts.update({element.symbol: count for element in Composition(formula).elements})
    return {symbol: counts[symbol] for symbol in sorted(counts.keys() - set(record.elements))}
