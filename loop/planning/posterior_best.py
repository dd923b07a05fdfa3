"""The best of the measured candidates by the models' posterior: a single reading that is high by chance is not.

What is measured several times, and what lies near to other measurements, is known better than any single reading says.
As in ``regret``, the metrics' processes alone are asked: trees smooth over what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from loop.core.outcome_constraints import LIKELY, probability_text
from loop.core.records import PosteriorBest, TrialRecord
from loop.core.trial_selection import fully_measured
from loop.planning.posterior import CampaignPosterior

_MOST = 256  # not tuned, bounds the time: candidates that are compared, the best measured ones
_SAMPLES = 512  # not tuned, bounds the time
_INTERVAL = (0.025, 0.975)  # the usual 95 %


def posterior_best(posterior: CampaignPosterior, trials: Sequence[TrialRecord], seed: int) -> PosteriorBest | None:
    """Return the measured candidate whose score is expected to be the highest; None where none is likely feasible.

    A sample that breaks a constraint is worth as little as the worst that was measured, as it is when candidates are
    chosen. The score is that of the candidate, without the noise of a further measurement.

    Args:
        posterior: fitted to the trials.
        trials: in the order of the posterior's rows.
        seed: determines the samples.
    """
    places = _places(posterior, trials)
    if not places:
        return None
    rows = posterior.rows[places]
    values = replace(posterior, models=posterior.processes).marginal(rows, _SAMPLES, seed)
    score, kept = torch.broadcast_tensors(posterior.problem.score(values), posterior.problem.feasible(values))
    chance = kept.double().mean(dim=0)
    if not bool((chance >= LIKELY).any()):
        return None
    expected = posterior.feasible_score(values).mean(dim=0)
    top = int(torch.where(chance >= LIKELY, expected, -torch.inf).argmax())
    low, high = score[:, top].quantile(torch.tensor(_INTERVAL, dtype=score.dtype)).tolist()
    return PosteriorBest(
        trial=trials[places[top]].number,
        score=float(score[:, top].mean()),
        interval=(low, high),
        feasibility=float(chance[top]),
        after=len(fully_measured(trials, posterior.problem.campaign.measured)),
    )


def doubts(posterior: CampaignPosterior, trials: Sequence[TrialRecord], seed: int) -> dict[int, str]:
    """Return the candidates that keep the outcome constraints as measured, and probably break one by the posterior.

    Args:
        posterior: fitted to the trials.
        trials: in the order of the posterior's rows.
        seed: determines the samples.

    Returns:
        Number of the first reading to the constraint that is the least likely kept, with that probability.
    """
    bounds = posterior.problem.objective.bounds
    places = [place for place in _places(posterior, trials) if bool(posterior.outcomes[1][place])]
    if not bounds or not places:
        return {}
    values = replace(posterior, models=posterior.processes).marginal(posterior.rows[places], _SAMPLES, seed)
    kept = torch.stack(torch.broadcast_tensors(*(bound.slack(values[bound.metric]) >= 0 for bound in bounds))).double()
    together, (least, which) = kept.amin(dim=0).mean(dim=0), kept.mean(dim=1).min(dim=0)
    return {
        trials[place].number: probability_text(bounds[int(which[i])].text, float(least[i]))
        for i, place in enumerate(places)
        if float(together[i]) < LIKELY
    }


def _places(posterior: CampaignPosterior, trials: Sequence[TrialRecord]) -> list[int]:
    """Return where the best measured candidates are among the trials, each once, by its first sound reading."""
    first: dict[tuple[object, ...], int] = {}
    for place, sound in enumerate(posterior.trusted.tolist()):
        if sound:
            first.setdefault(trials[place].candidate.key(), place)
    score, feasible = posterior.outcomes
    return sorted(first.values(), key=lambda i: (not bool(feasible[i]), -float(score[i])))[:_MOST]
