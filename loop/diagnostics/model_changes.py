"""What the models have come to rely on, and what they have dropped, as seen in the proposals that they explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loop.core.model_words import KERNELS
from loop.core.proposals import Proposal
from surrogates.models.model_selection import MATERN

_RELIED = 0.5
"""Share of what is known of materials from which a view is relied upon. Not tuned: most of it; it decides what is
logged, and nothing else."""
_DROPPED = 0.25
"""Share below which it is dropped: half as much, so that the log does not go back and forth."""


def model_changes(proposals: Sequence[Proposal]) -> list[tuple[str, str]]:
    """Return the metrics whose model relies on something else since the last proposal but one, and what changed.

    Args:
        proposals: in the order of the trials.
    """
    told = [p.models for p in proposals if p.models]
    if not told:
        return []
    return [(name, text) for name in told[-1] for text in _changes([m[name] for m in told if name in m])]


def _changes(models: Sequence[Mapping[str, Any]]) -> list[str]:
    was, now = (models[-2] if len(models) > 1 else {}), models[-1]
    return [*_of_views(models), *_of_prior(was, now), *_of_kernel(was, now), *_of_source(was, now)]


def _of_views(models: Sequence[Mapping[str, Any]]) -> list[str]:
    if len(models) < 2:  # the first has nothing to be compared with
        return []
    before, after = _relied(models[:-1]), _relied(models)
    shares = models[-1].get("features", {})
    found = [f"{view} is dropped: {_share(shares, view)} of what the model knows" for view in sorted(before - after)]
    found += [
        f"{view} is relied upon: {_share(shares, view)} of what the model knows" for view in sorted(after - before)
    ]
    return found


def _of_prior(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    before, after = was.get("prior"), now.get("prior")
    if not before or not after or before["used"] == after["used"]:
        return []
    slope = f"slope {before['slope']:.2g} ± {before['sd']:.1g} before"
    return ["the prior is used again" if after["used"] else f"the prior is dropped: {slope}"]


def _of_kernel(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return whether another kernel of the parameters is used from now on; at first, it is the Matérn one."""
    before, after = (KERNELS.get(model.get("choice", "")) for model in (was, now))
    if after is None or after == (before or KERNELS[MATERN]):
        return []
    loo = now["loo"]
    figures = ", ".join(f"{words} {loo[name]:.2f}" for name, words in KERNELS.items() if name in loo)
    return [f"its kernel is {after} from now on; log density of a measurement by the others: {figures}"]


def _of_source(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return whether the models use an earlier campaign from now on, or no longer."""
    before, after = was.get("source"), now.get("source")
    if before == after:
        return []
    found = [f"the models no longer use {before}: without it the measurements are explained better"]
    if not after:
        return found
    source = now["sources"][after]
    used = f"the models use {after}: slope {source['slope']:.2g} ± {source['sd']:.1g}"
    return [*found, used] if before else [used]


def _relied(models: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the views that were relied upon and have not been dropped since."""
    relied: set[str] = set()
    for model in models:
        shares = model.get("features", {})
        relied |= {view for view, share in shares.items() if share >= _RELIED}
        relied -= {view for view in relied if shares.get(view, 0.0) < _DROPPED}
    return frozenset(relied)


def _share(shares: Mapping[str, float], view: str) -> str:
    return f"{100 * shares.get(view, 0.0):.0f} %"
