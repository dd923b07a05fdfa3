"""How well intervals hold: on rows like those a model has seen, and on a chemistry it has not seen."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pymatgen.core import Structure

from benchmarks.pools.crystals import Crystals, View
from benchmarks.pools.forecasts import Forecasts, compare
from benchmarks.pools.tasks import Quantity, readings

_SIZES = (50, 100, 500)  # training rows
_TESTED = 500  # rows of either kind
_ANIONS = ("O", "N", "F", "S")

Posterior = Callable[[Sequence[int]], NDArray[np.float64]]
"""From rows to samples of the quantity without noise, s x n."""

Fit = Callable[[Quantity, Sequence[int], NDArray[np.float64]], Posterior]
"""From a quantity, rows, n, and their readings, n, with the quantity's noise, to a posterior."""


@dataclass(frozen=True)
class Model:
    """A model that is judged.

    Attributes:
        begin: makes the fit for a table of crystals.
        code: as of an arm.
    """

    name: str
    begin: Callable[[Crystals], Fit]
    code: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """One model, fitted once.

    Attributes:
        seed: decides about the rows and the noise; each next seed holds out the next chemistry.
    """

    quantity: Quantity
    size: int
    seed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Predictions of rows of the chemistries that were trained on, and of the one that was held out."""

    known: Forecasts
    unseen: Forecasts


def chemistry(structure: Structure) -> str:
    """Return the anions of a cell, such as "N1 O2"."""
    amounts = structure.composition.get_el_amt_dict()
    return " ".join(f"{symbol}{amounts[symbol]:g}" for symbol in sorted(_ANIONS) if symbol in amounts)


def trials(crystals: Crystals, quantities: Sequence[Quantity], seeds: int) -> list[Trial]:
    """Return the trials that a table has rows for; none if it holds only one chemistry."""
    enough = len({chemistry(structure) for structure in crystals.structures}) > 1
    sizes = [size for size in _SIZES if enough and 3 * size <= len(crystals)]
    return [Trial(quantity, size, seed) for quantity in quantities for size in sizes for seed in range(seeds)]


def conduct_trial(fit: Fit, crystals: Crystals, trial: Trial) -> Outcome:
    """Fit a model to random rows of all chemistries but one, and judge it."""
    kinds = np.array([chemistry(structure) for structure in crystals.structures])
    held = sorted(set(kinds))[trial.seed % len(set(kinds))]
    generator = np.random.default_rng([trial.seed, zlib.crc32(trial.quantity.column.encode())])
    inside, outside = (generator.permutation(np.flatnonzero(mask)) for mask in (kinds != held, kinds == held))
    train, known, unseen = inside[: trial.size], inside[trial.size :][-_TESTED:], outside[:_TESTED]
    true = crystals.columns[trial.quantity.column]
    posterior = fit(trial.quantity, train.tolist(), readings(true, trial.quantity, trial.seed)[train])
    return Outcome(*(compare(posterior(rows.tolist()), true[rows]) for rows in (known, unseen)))


def _plain(view: View, crystals: Crystals) -> Fit:
    """Return plain BoTorch on a view."""
    from benchmarks.pools.gp import fit, reduced, sample

    features = torch.from_numpy(reduced(crystals, view))

    def fitted(quantity: Quantity, rows: Sequence[int], values: NDArray[np.float64]) -> Posterior:
        model = fit(features[list(rows)], torch.from_numpy(values), quantity.sd)
        return lambda wanted: sample(model, features[list(wanted)])

    return fitted


def _on_composition(crystals: Crystals) -> Fit:
    return _plain(View.COMPOSITION, crystals)


def _on_chgnet(crystals: Crystals) -> Fit:
    return _plain(View.CHGNET, crystals)


def _of_athanor(crystals: Crystals) -> Fit:
    from benchmarks.pools.ours import fit_of

    return fit_of(crystals)


MODELS: tuple[Model, ...] = (
    Model("Athanor", _of_athanor, ("campaigns", "surrogates", "benchmarks/pools/ours.py")),
    Model("composition", _on_composition),
    Model("CHGNet", _on_chgnet),
)
"""The models that are judged."""
