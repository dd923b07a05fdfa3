"""The planner: suggest and ingest. What it knows is a list of trials, and that is rebuilt from the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from campaigns.amendments import with_fixed
from campaigns.campaign import Campaign
from campaigns.costs import cost_of, duration_of
from campaigns.errors import CampaignError
from campaigns.fidelity import FULL
from campaigns.values import Candidate, Scalar
from campaigns.warm_start import Source
from loop.core.campaign_version import CampaignVersion
from loop.core.formatting import candidate_text, trials_text
from loop.core.proposals import OPERATOR, Proposal
from loop.core.records import TrialRecord
from loop.diagnostics.model_health import HealthChange
from loop.planning.experiment import CampaignExperiment
from loop.planning.foreign_strategy import ForeignStrategy
from loop.planning.generation import OwnStrategy
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.model_fitter import ModelFitter
from loop.planning.shortlist import SpaceExhaustedError
from surrogates.models.encoder import Encoder

Suggestion = tuple[int, Candidate, Proposal]
"""Number of a new trial, its candidate, and why it was chosen."""


class Planner:
    """Suggests candidates and learns from trials.

    Attributes:
        models: fitted to the trials.
        experiment: what was proposed, and how it ended.

    Args:
        campaign: space, metrics, objective, seed and strategy.
        encoder: layout of the rows, with the pool's table where there is a pool.
        sources: what earlier campaigns measured.

    Raises:
        CampaignError: a source has too few measurements of what this campaign can choose, or the strategy that the
            campaign names cannot be loaded.
    """

    def __init__(self, campaign: Campaign, encoder: Encoder, sources: Sequence[Source] = ()) -> None:
        self.models = ModelFitter(OptimizationProblem(campaign, encoder), sources)
        self.experiment = CampaignExperiment(campaign, () if encoder.materials is None else encoder.materials.ids)
        foreign = campaign.planner.strategy is not None
        self._strategy = (ForeignStrategy if foreign else OwnStrategy)(self.models, self.experiment)

    def amend(self, now: CampaignVersion) -> None:
        """Go by an amended campaign from now on."""
        self.models.amend(now)
        self.experiment.amend(now.campaign)
        self._strategy.amend(now.first)

    def take(self, candidate: Candidate, reason: str) -> Suggestion:
        """Return the number of a new trial of a candidate that somebody asked for, as ``suggest`` does."""
        return self._new(candidate, Proposal(OPERATOR, reason=reason))

    def suggest(self, fixed: Mapping[str, Scalar] | None = None) -> Suggestion:
        """Return the number of a new trial, its candidate, and why it was chosen.

        Args:
            fixed: parameters with the values that a load has fixed, which the candidate is to fill up.

        Raises:
            SpaceExhaustedError: no candidate is left, or none that fits, or the strategy waits for measurements.
            PlannerError: the strategy that the campaign names fails, or is too slow.
        """
        if not fixed:
            return self._new(*self._strategy.recommend())
        campaign = self.models.problem.campaign
        held = with_fixed(campaign, fixed)
        try:
            with self.models.within(held), self.experiment.within(held):
                candidate, proposal = self._strategy.recommend()
        except CampaignError as error:  # nothing else was found that keeps the constraints
            raise SpaceExhaustedError(str(error)) from error
        units = {name: campaign.space.parameters[name].unit for name in fixed}
        filled = f"it fills a load with {candidate_text(Candidate(fixed), units)}"
        return self._new(candidate, replace(proposal, reason="; ".join(filter(None, [proposal.reason, filled]))))

    def ingest(self, trial: TrialRecord) -> list[tuple[str, HealthChange]]:
        """Learn how a suggested trial ended; return by metric whose model's health has changed."""
        self.experiment.end([trial])
        return self.models.learn(trial)

    def recall(self, trials: Sequence[TrialRecord]) -> None:
        """Learn more trials of the store, in the order of their numbers: all of them, or those that were imported."""
        self.experiment.restore(trials)
        ended = (trial for trial in trials if trial.state.ended)
        self.models.recall(sorted(ended, key=lambda t: (t.completed_order or 0, t.number)))

    def relearn(self, trials: Sequence[TrialRecord]) -> None:
        """Learn all trials of the store anew, as people have decided otherwise of some of them."""
        self.experiment.clear()
        self.models.forget()
        self.recall(trials)

    def _new(self, candidate: Candidate, proposal: Proposal) -> Suggestion:
        """Return a new trial, which is under way from now on."""
        if before := self.experiment.lost(candidate, proposal.fidelity):
            why = f"its {trials_text(before)} failed for a fault of the lab, which says nothing of the candidate"
            proposal = replace(proposal, reason="; ".join(filter(None, [proposal.reason, why])))
        number = self.experiment.add(candidate, proposal)
        return number, candidate, _priced(self.models.problem.campaign, candidate, proposal)


def _priced(campaign: Campaign, candidate: Candidate, proposal: Proposal) -> Proposal:
    """Return a proposal with what it is expected to cost, and how long it is expected to take."""
    if proposal.fidelity != FULL:
        return replace(proposal, cost=campaign.cost_of(proposal.fidelity))
    duration = duration_of(campaign, candidate.parameters)
    return replace(proposal, cost=cost_of(campaign, candidate.parameters), duration=duration or None)
