"""The planner: suggest and ingest. What it knows is a list of trials, and that is rebuilt from the store."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from campaigns.campaign import Campaign
from campaigns.costs import cost_of, duration_of
from campaigns.fidelity import FULL
from campaigns.values import Candidate
from campaigns.warm_start import Source
from loop.core.campaign_version import CampaignVersion
from loop.core.formatting import trials_text
from loop.core.records import (
    AGAIN,
    FEWEST,
    MODEL,
    OPERATOR,
    Alternative,
    Proposal,
    TrialRecord,
)
from loop.diagnostics.model_health import HealthChange
from loop.planning.acquisition import Choice, choose, explained
from loop.planning.experiment import CampaignExperiment
from loop.planning.fidelity_selection import FidelitySelector, plan
from loop.planning.initial_design import InitialDesign
from loop.planning.mc_objective import ObjectiveOnSamples
from loop.planning.model_fitter import ModelFitter, seed_of
from loop.planning.posterior import CampaignPosterior, TrainingData
from loop.planning.replication import Replicate, choose_only_replicate, choose_replicate
from loop.planning.shortlist import SpaceExhaustedError
from surrogates.models.encoder import Encoder

Suggestion = tuple[int, Candidate, Proposal]
"""Number of a new trial, its candidate, and why it was chosen."""


class Planner:
    """Suggests candidates and learns from trials.

    Attributes:
        models: what the trials have taught.
        experiment: what was proposed, and how it ended.

    Args:
        campaign: space, metrics, objective and seed.
        encoder: layout of the rows, with the pool's table where there is a pool.
        sources: what earlier campaigns measured.

    Raises:
        CampaignError: a source has too few measurements of what this campaign can choose.
    """

    def __init__(self, campaign: Campaign, encoder: Encoder, sources: Sequence[Source] = ()) -> None:
        self.models = ModelFitter(ObjectiveOnSamples(campaign, encoder), sources)
        self.experiment = CampaignExperiment(campaign, () if encoder.materials is None else encoder.materials.ids)
        self._first, self._start = 0, self._begun(0)

    def amend(self, now: CampaignVersion) -> None:
        """Go by an amended campaign from now on."""
        self.models.amend(now)
        self.experiment.amend(now.campaign)
        self._first, self._start = now.first, self._begun(0)

    def take(self, candidate: Candidate, reason: str) -> Suggestion:
        """Return the number of a new trial of a candidate that somebody asked for, as ``suggest`` does."""
        return self._new(candidate, Proposal(OPERATOR, reason=reason))

    def suggest(self) -> Suggestion:
        """Return the number of a new trial, its candidate, and why it was chosen.

        Raises:
            SpaceExhaustedError: no candidate is left.
        """
        begun, planned = self.experiment.own(), plan(self._campaign)
        if begun < len(planned):
            planned = plan(self._campaign, self.models.imported)
        seed = seed_of(self._campaign.seed, len(self.experiment))
        try:
            if begun < len(planned):
                candidate, proposal = self._begin(planned[begun])
            elif self.models.scored < FEWEST:
                candidate, proposal = self._begin(FULL)
            else:
                candidate, proposal = self._choose(seed)
        except SpaceExhaustedError:
            repeated = self._repeated(seed)
            if repeated is None:
                raise
            candidate, proposal = repeated
        return self._new(replace(candidate, parameters=self._campaign.space.present(candidate.parameters)), proposal)

    def ingest(self, trial: TrialRecord) -> list[tuple[str, HealthChange]]:
        """Learn how a suggested trial ended; return by metric whose model is trusted less, or more, from now on."""
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

    @property
    def _campaign(self) -> Campaign:
        return self.models.scorer.campaign

    def _begun(self, count: int) -> InitialDesign:
        """Return the start of the campaign that is in force after so many proposals."""
        return InitialDesign(self.models.scorer, self.models.teaching, count)

    def _starting(self) -> InitialDesign:
        """Return the start, as far as it had come when the campaign became what it is."""
        count = self.experiment.own(before=self._first)
        if self._start.begun != count:
            self._start = self._begun(count)
        return self._start

    def _new(self, candidate: Candidate, proposal: Proposal) -> Suggestion:
        """Return a new trial, which is under way from now on."""
        if before := self.experiment.lost(candidate, proposal.fidelity):
            why = f"its {trials_text(before)} failed for a fault of the lab, which says nothing of the candidate"
            proposal = replace(proposal, reason="; ".join(filter(None, [proposal.reason, why])))
        number = self.experiment.add(candidate, proposal)
        return number, candidate, _priced(self._campaign, candidate, proposal)

    def _begin(self, fidelity: str) -> tuple[Candidate, Proposal]:
        """Return a candidate of the start, advised by sources or filling the space."""
        seen = self.experiment.seen(fidelity)
        advised = self._advising().advised(len(seen), self.models.measured, seen) if fidelity == FULL else None
        generator = "space-filling" if advised is None else "sources"
        candidate = advised or self._starting().candidate(self.experiment.own(), seen)
        if candidate is None:
            raise SpaceExhaustedError("every candidate has been proposed")
        learnt_from, pending = self.models.learnt_from, self.experiment.under_way
        return candidate, Proposal(generator, learnt_from=learnt_from, pending=pending, fidelity=fidelity)

    def _advising(self) -> InitialDesign:
        """Return the start, advised by cheap measurements where there are any."""
        start = self._starting()
        if not self._campaign.fidelities:
            return start
        return replace(start, teaching=self.models.ladder.teaching(self.models.scorer))

    def _choose(self, seed: int) -> tuple[Candidate, Proposal]:
        """Return what a model chooses: a new candidate, a cheap version of one, or one that is measured once more."""
        belief, history = self.models.heeding_failures(), self._history
        choice = choose(belief, history, seed)
        found = choose_replicate(belief, history, choice.candidate, seed)
        if found is not None:
            return self._again(belief, found, (Alternative(choice.candidate, choice.acquisition), *choice.alternatives))
        proposal = self._explained(choice)
        cheaper = (
            FidelitySelector(belief, choice.considered).cheaper(self.experiment) if self._campaign.fidelities else None
        )
        if cheaper is None:
            return choice.candidate, proposal
        fidelity, candidate = cheaper
        return candidate, replace(proposal, fidelity=fidelity, predictions={}, score=None, feasibility=None)

    def _repeated(self, seed: int) -> tuple[Candidate, Proposal] | None:
        """Return what is worth measuring once more where nothing new is left, or None."""
        if not self.models.scored:
            return None
        belief = self.models.heeding_failures()
        left = self._campaign.budget.trials - self.experiment.own()
        found = choose_only_replicate(belief, self._history, seed, max(left, 1))
        return None if found is None else self._again(belief, found, ())

    def _again(
        self, belief: CampaignPosterior, found: Replicate, others: tuple[Alternative, ...]
    ) -> tuple[Candidate, Proposal]:
        choice = explained(belief, self._history.done[found.place], math.log(found.gain), others)
        reason = f"trial {self.models.trials[found.place].number} once more: {found.why}"
        return choice.candidate, replace(self._explained(choice), generator=AGAIN, reason=reason)

    @property
    def _history(self) -> TrainingData:
        """What was measured, and what was proposed."""
        proposed = self.experiment
        return replace(
            self.models.measured, pending=proposed.pending, seen=proposed.seen(FULL), imported=proposed.imported
        )

    def _explained(self, choice: Choice) -> Proposal:
        health = self.models.trust.describe
        return Proposal(
            MODEL,
            acquisition=choice.acquisition,
            predictions=choice.predictions,
            score=choice.score,
            feasibility=choice.feasibility,
            success=choice.success,
            learnt_from=self.models.learnt_from,
            pending=self.experiment.under_way,
            models={name: {**model, "health": health(name)} for name, model in choice.models.items()},
            alternatives=choice.alternatives,
        )


def _priced(campaign: Campaign, candidate: Candidate, proposal: Proposal) -> Proposal:
    """Return a proposal with what it is expected to cost, and how long it is expected to take."""
    if proposal.fidelity != FULL:
        return replace(proposal, cost=campaign.cost_of(proposal.fidelity))
    duration = duration_of(campaign, candidate.parameters)
    return replace(proposal, cost=cost_of(campaign, candidate.parameters), duration=duration or None)
