"""What the inspection of the models comes to, in plain sentences: which parameters matter, how good the models are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from campaigns.values import Scalar
from loop.core.inspection_cards import InspectionCard
from loop.diagnostics.calibration import ranks

_MATTERS = 0.05
"""Total Sobol index from which a parameter is named as one that matters; not tuned: indices are exact to about 0.02."""
_PREDICTS, _FAIR, _RANKS = 0.8, 0.5, 0.6
"""R² of good and of fair predictions, and rank correlation of those that rank; not tuned: shown beside the words."""
_NARROW = 0.85
"""Share inside the 95 % intervals below which these are called too narrow; not tuned: two standard errors at n = 20."""
_POOR = 0.1
"""R² below which Ax, too, calls a metric unpredictable (DEFAULT_MODEL_FIT_THRESHOLD of its health checks)."""
_REACH = 1.96  # standard deviations: half of a normal distribution's 95 % interval
_FEW = 10
"""Measurements below which R² may change much with the next ones; not tuned."""

MEANINGS = {
    "importance": "The total Sobol index: the share of an outcome's variance over the whole space that would be left "
    "if every other parameter were known. Where parameters act together, the bars add up to more than one. Indices are "
    "exact to about 0.02.",
    "bands and bars": "One standard deviation of the prediction: about two of three values lie inside, nineteen of "
    "twenty within twice of it.",
    "cross-validation": "Each candidate is predicted by models that were fitted without any of its measurements: up to "
    "ten candidates are left out one by one, more of them in ten parts.",
    "R²": "The coefficient of determination of these predictions: 1 for exact ones, 0 or less for predictions no "
    "better than the mean of the measurements.",
    "good, fair, weak": "R² from 0.8, from 0.5, from 0.1. A model ranks candidates from a rank correlation of 0.6. Its "
    "95 % intervals are too narrow where they contain less than 85 % of at least ten measurements.",
    "rank correlation": "Spearman's, of predicted and measured values: 1 where both are in the same order, 0 where "
    "their orders have nothing in common.",
}
"""What the figures and sentences show, each under the word that is used for it."""


def importance_sentence(card: InspectionCard) -> str:
    """Return which parameters matter for an outcome, the most important first; none where it is constant."""
    pairs = zip(card.columns["parameter"], card.columns["importance"], strict=True)
    shares = [(str(name), min(1.0, float(share))) for name, share in pairs if math.isfinite(float(share))]
    strong = [(name, f"{100 * share:.0f} %") for name, share in shares if share >= _MATTERS]
    weak = [name for name, share in shares if share < _MATTERS]
    if not strong:
        return "No parameter is seen to matter."
    (first, most), *others = strong
    then = f", then {_listed([f'{name} ({share})' for name, share in others])}" if others else ""
    hardly = f"; {_listed(weak)} hardly {'matters' if len(weak) == 1 else 'matter'}" if weak else ""
    return f"Over the whole space, {first} matters most ({most} of the variance){then}{hardly}."


def quality_sentence(card: InspectionCard) -> str:
    """Return how good the model of an outcome is by cross-validation, with the numbers."""
    r2, count = card.numbers["r2"], len(card.columns["trial"])
    if not math.isfinite(r2) or np.ptp(np.array(card.columns["measured"], dtype=float)) == 0.0:
        return f"How good the model is cannot be judged: all {count} measurements are alike."
    r2, rank = _as_printed(r2), rank_agreement(card)
    rank = None if rank is None else _as_printed(rank)
    order = "" if rank is None else f", rank correlation {rank:.2f}"
    few = "; that may still change much" if count < _FEW else ""
    return f"The model {_quality(r2, rank)} (R² {r2:.2f}{order}, {count} measurements{few}){_narrow(card)}."


def _narrow(card: InspectionCard) -> str:
    """Return that the intervals are too narrow, where they are."""
    names = ("measured", "predicted", "measured sd", "predicted sd")
    measured, predicted, *sds = (np.array(card.columns[name], dtype=float) for name in names)
    inside = float(np.mean(np.abs(measured - predicted) <= _REACH * np.hypot(*sds)))
    if len(measured) < _FEW or inside >= _NARROW:
        return ""
    return f"; its 95 % intervals contain {100 * inside:.0f} %: too narrow"


def _as_printed(value: float) -> float:
    """Return a number as it is printed, so that the words beside it are about the same number."""
    return round(value, 2) + 0.0  # no negative zero


def rank_agreement(card: InspectionCard) -> float | None:
    """Return Spearman's rank correlation of predicted and measured; None where one of them is constant."""
    predicted, measured = (_ranks(card.columns[name]) for name in ("predicted", "measured"))
    if np.ptp(predicted) == 0 or np.ptp(measured) == 0:
        return None
    return float(np.corrcoef(predicted, measured)[0, 1])


def _ranks(values: Sequence[Scalar]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return ranks([float(value) for value in values])


def _quality(r2: float, rank: float | None) -> str:
    orders = rank is not None and rank >= _RANKS
    if r2 < 0.0:
        return "is no better than the mean of the measurements: do not rely on its figures yet"
    if r2 < _POOR:
        return "is little better than the mean of the measurements: do not rely on its figures yet"
    if r2 < _FAIR:
        return "is weak: " + ("it ranks candidates roughly" if orders else "it does not rank candidates")
    if r2 < _PREDICTS:
        return "is fair: it shows the trend" + (" and ranks candidates" if orders else ", but does not rank candidates")
    return "is good: " + ("it ranks and predicts candidates" if orders else "it does not rank those that are alike")


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
