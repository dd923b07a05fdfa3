"""Bounds that grow by themselves, as far as the campaign allows, where the best candidates press against them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from campaigns.amendments import SetBounds
from campaigns.campaign import Campaign
from campaigns.spaces.parameters import FloatConfig, IntegerConfig
from loop.core.candidate_results import CandidateResult, ranking, results
from loop.core.formatting import unit_text
from loop.core.pareto import front_of
from loop.core.records import TrialRecord
from loop.core.trial_selection import trusted

_LEADERS = 5
"""The best candidates that are looked at; of a front, all that stand on it. Not tuned, as the next two: a bound that
grows needlessly costs a few trials at most, and grows only as far as the campaign allows."""
_NEAR = 0.1
"""Share of the range, at its end, in which a candidate presses against the bound."""
_STEP = 0.5
"""Share of the range by which it grows at a time."""
_DIGITS = 3
"""Significant digits of a new bound, so that people read it with ease."""

Growing = FloatConfig | IntegerConfig


def expand_bounds(campaign: Campaign, trials: Sequence[TrialRecord]) -> tuple[SetBounds, str] | None:
    """Return the first bound that may grow and has to, with the reason, or None.

    A bound has to grow when most of the best candidates lie next to it, once the space-filling trials are done. What is
    held at one value does not grow.

    Args:
        campaign: its current version.
        trials: all trials, by number.
    """
    leaders = _leaders(campaign, trials)
    for name, parameter in campaign.space.parameters.items():
        if not isinstance(parameter, Growing) or parameter.low == parameter.high:
            continue
        shares = [parameter.fraction(t.candidate.parameters[name]) for t in leaders if name in t.candidate.parameters]
        for side, ways in (("low", [s <= _NEAR for s in shares]), ("high", [s >= 1.0 - _NEAR for s in shares])):
            if sum(ways) >= 2 and 2 * sum(ways) > len(leaders) and (new := _grown(parameter, side)) is not None:
                low, high = (new, parameter.high) if side == "low" else (parameter.low, new)
                reason = f"{sum(ways)} of the {len(leaders)} best candidates lie next to {name}'s {side} bound"
                return SetBounds(parameter=name, low=low, high=high, grown=True), reason + _from(parameter, side)
    return None


def _leaders(campaign: Campaign, trials: Sequence[TrialRecord]) -> list[CandidateResult]:
    done = trusted(trials)
    if len(done) < campaign.planner.initial:
        return []
    front = front_of(campaign, done)
    if front is not None:
        return list(front.candidates)
    return [one for one in ranking(results(campaign.build_objective(), done)) if one.feasible][:_LEADERS]


def _grown(parameter: Growing, side: str) -> float | None:
    """Return the bound after one step; None where it may not move."""
    limit, now = (parameter.lowest, parameter.low) if side == "low" else (parameter.highest, parameter.high)
    if limit is None or limit == now:
        return None
    new = _beyond(parameter, -_STEP if side == "low" else 1.0 + _STEP)
    if isinstance(parameter, IntegerConfig):
        new = float(math.floor(new) if side == "low" else math.ceil(new))
    return max(new, limit) if side == "low" else min(new, limit)


def _beyond(parameter: Growing, fraction: float) -> float:
    """Return the number at a fraction of the range, on its scale, that lies outside of it, rounded."""
    low, high = parameter.low, parameter.high
    if isinstance(parameter, FloatConfig) and parameter.scale == "log":
        return float(f"{low * (high / low) ** fraction:.{_DIGITS}g}")
    value = low + fraction * (high - low)
    return round(value, _DIGITS - 1 - math.floor(math.log10(high - low)))


def _from(parameter: Growing, side: str) -> str:
    return f" of {parameter.low if side == 'low' else parameter.high:g}{unit_text(parameter.unit)}"
