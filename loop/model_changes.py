"""What the models have come to rely on, and what they have dropped, as seen in the proposals that they explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loop.records import Proposal

_RELIED = 0.5  # share of what is known of materials from which a view is relied upon
_DROPPED = 0.25  # below, a view that was relied upon is dropped


def model_changes(proposals: Sequence[Proposal]) -> list[tuple[str, str]]:
    """Return the metrics whose model relies on something else since the last proposal but one, and what changed.

    Args:
        proposals: in the order of the trials.
    """
    told = [p.models for p in proposals if p.models]
    if len(told) < 2:
        return []
    return [(name, text) for name in told[-1] for text in _changes([m[name] for m in told if name in m])]


def _changes(models: Sequence[Mapping[str, Any]]) -> list[str]:
    if len(models) < 2:
        return []
    before, after = _relied(models[:-1]), _relied(models)
    shares = models[-1].get("features", {})
    found = [f"{view} is dropped: {_share(shares, view)} of what the model knows" for view in sorted(before - after)]
    found += [
        f"{view} is relied upon: {_share(shares, view)} of what the model knows" for view in sorted(after - before)
    ]
    was, now = (m.get("prior", {}) for m in models[-2:])
    if was and now and was["used"] != now["used"]:
        slope = f"slope {was['slope']:.2g} ± {was['sd']:.1g} before"
        found.append("the prior is used again" if now["used"] else f"the prior is dropped: {slope}")
    return found + _source_changes(models)


def _source_changes(models: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return whether what is learnt from an earlier campaign is used from now on, or no longer."""
    was, now = (m.get("source") for m in models[-2:])
    if was == now:
        return []
    found = [f"nothing is learnt from {was} any more: without it the measurements are explained better"] if was else []
    if now:
        learnt = models[-1]["sources"][now]
        found.append(f"{now} is learnt from: slope {learnt['slope']:.2g} ± {learnt['sd']:.1g}")
    return found


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
