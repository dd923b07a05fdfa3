"""Athanor's own generation strategy: by which node the next candidate comes, and which it is.

A pure function of the campaign, its seed, the number of trials, and what the store says of them.
"""

from __future__ import annotations

import math
from dataclasses import replace

from campaigns.campaign import Campaign
from campaigns.fidelity import FULL
from campaigns.values import Candidate
from loop.core.proposals import AGAIN, MODEL, SOURCES, SPACE_FILLING, Alternative, Proposal
from loop.core.records import FEWEST
from loop.planning.acquisition import Choice, choose, explained
from loop.planning.experiment import CampaignExperiment
from loop.planning.fidelity_selection import FidelitySelector, plan
from loop.planning.initial_design import InitialDesign
from loop.planning.model_fitter import ModelFitter, seed_of
from loop.planning.numerical_errors import NUMERICAL_ERRORS, shortened
from loop.planning.posterior import CampaignPosterior, TrainingData
from loop.planning.replication import Replicate, choose_only_replicate, choose_replicate
from loop.planning.shortlist import SpaceExhaustedError

NODES = {SPACE_FILLING: "InitialDesign", SOURCES: "PriorData", MODEL: "BoTorch", AGAIN: "Replication"}
"""Generator of a proposal, as the store has it, to the node of the generation strategy that makes such proposals."""

Recommendation = tuple[Candidate, Proposal]
"""A candidate, and why it was chosen."""


class Recommender:
    """Recommends candidates.

    Args:
        models: fitted to the trials.
        experiment: what was proposed, and how it ended.
    """

    def __init__(self, models: ModelFitter, experiment: CampaignExperiment) -> None:
        self._models, self._experiment = models, experiment
        self._held: InitialDesign | None = None
        self.amend(0)

    def amend(self, first: int) -> None:
        """Go by an amended campaign, which holds from the trial with number ``first``."""
        self._first, self._design, self._held = first, self._design_after(0), None

    def recommend(self) -> Recommendation:
        """Return the next candidate; the node that it comes by follows from its proposal.

        Raises:
            SpaceExhaustedError: no candidate is left.
        """
        begun, planned = self._experiment.own(), plan(self._campaign)
        if begun < len(planned):
            planned = plan(self._campaign, self._models.imported)
        seed = seed_of(self._campaign.seed, len(self._experiment))
        try:
            if begun < len(planned):
                candidate, proposal = self._initial(planned[begun])
            elif self._models.scored < FEWEST:
                candidate, proposal = self._initial(FULL)
            else:
                candidate, proposal = self._choose_safely(seed)
        except SpaceExhaustedError:
            repeated = self._replicate_alone(seed)
            if repeated is None:
                raise
            candidate, proposal = repeated
        present = self._campaign.space.present(candidate.parameters)
        return replace(candidate, parameters=present), replace(proposal, node=NODES[proposal.generator])

    @property
    def _campaign(self) -> Campaign:
        return self._models.problem.campaign

    def _design_after(self, count: int) -> InitialDesign:
        """Return the initial design of the current campaign version, which goes on after so many proposals."""
        return InitialDesign(self._models.whole, self._models.source_models, count)

    def _current_design(self) -> InitialDesign:
        """Return the initial design; after an amendment, it goes on where it stood, in the new space."""
        count = self._experiment.own(before=self._first)
        if self._design.begun != count:
            self._design = self._design_after(count)
        return self._design if self._models.problem is self._models.whole else self._held_design()

    def _held_design(self) -> InitialDesign:
        """Return the initial design of what a load leaves of the space, the same while proposals are to fill it."""
        problem, known = self._models.problem, self._held
        space = problem.campaign.space
        if known is None or space.table is not None or known.problem.campaign.space != space:
            self._held = known = replace(self._design, problem=problem, begun=0)
        return known

    def _initial(self, fidelity: str) -> tuple[Candidate, Proposal]:
        """Return a candidate of the initial design: good by the source models, or filling the space."""
        seen = self._experiment.seen(fidelity)
        prior = None
        if fidelity == FULL:
            prior = self._design_with_cheap_data().from_sources(len(seen), self._models.measured, seen)
        generator = SPACE_FILLING if prior is None else SOURCES
        candidate = prior or self._current_design().candidate(self._experiment.own(), seen)
        if candidate is None:
            raise SpaceExhaustedError("every candidate has been proposed")
        learnt_from, pending = self._models.learnt_from, self._experiment.under_way
        return candidate, Proposal(generator, learnt_from=learnt_from, pending=pending, fidelity=fidelity)

    def _design_with_cheap_data(self) -> InitialDesign:
        """Return the initial design with cheap measurements, where there are any, as its sources."""
        design = self._current_design()
        if not self._campaign.fidelities:
            return design
        return replace(design, source_models=self._models.low_fidelities.source_models(self._models.problem))

    def _choose_safely(self, seed: int) -> tuple[Candidate, Proposal]:
        """Return what a model chooses, or where its numerics fail, a candidate of the initial design, and say so."""
        try:
            return self._choose(seed)
        except NUMERICAL_ERRORS as error:
            candidate, proposal = self._initial(FULL)
            return candidate, replace(proposal, reason=f"the models could not choose ({shortened(error)})")

    def _choose(self, seed: int) -> tuple[Candidate, Proposal]:
        """Return what a model chooses: a new candidate, a cheap version of one, or one that is measured once more."""
        posterior, history = self._models.posterior_with_failures(), self._history
        choice = choose(posterior, history, seed)
        found = choose_replicate(posterior, history, choice.candidate, seed)
        if found is not None:
            new = Alternative(choice.candidate, choice.acquisition)
            return self._replicated(posterior, found, (new, *choice.alternatives))
        proposal, cheaper = self._explained(choice), None
        if self._campaign.fidelities:
            cheaper = FidelitySelector(posterior, choice.considered).cheaper(self._experiment)
        if cheaper is None:
            return choice.candidate, proposal
        fidelity, candidate = cheaper
        return candidate, replace(proposal, fidelity=fidelity, predictions={}, score=None, feasibility=None)

    def _replicate_alone(self, seed: int) -> tuple[Candidate, Proposal] | None:
        """Return what is worth measuring once more where nothing new is left, or None."""
        if not self._models.scored:
            return None
        posterior = self._models.posterior_with_failures()
        left = self._campaign.budget.trials - self._experiment.own()
        found = choose_only_replicate(posterior, self._history, seed, max(left, 1))
        return None if found is None else self._replicated(posterior, found, ())

    def _replicated(
        self, posterior: CampaignPosterior, found: Replicate, others: tuple[Alternative, ...]
    ) -> tuple[Candidate, Proposal]:
        choice = explained(posterior, self._history.done[found.place], math.log(found.gain), others)
        reason = f"trial {self._models.trials[found.place].number} once more: {found.why}"
        return choice.candidate, replace(self._explained(choice), generator=AGAIN, reason=reason)

    @property
    def _history(self) -> TrainingData:
        """What was measured, and what was proposed."""
        proposed = self._experiment
        return replace(
            self._models.measured, pending=proposed.pending, seen=proposed.seen(FULL), imported=proposed.imported
        )

    def _explained(self, choice: Choice) -> Proposal:
        health = self._models.health.describe
        return Proposal(
            MODEL,
            acquisition=choice.acquisition,
            predictions=choice.predictions,
            score=choice.score,
            feasibility=choice.feasibility,
            success=choice.success,
            learnt_from=self._models.learnt_from,
            pending=self._experiment.under_way,
            models={name: {**model, "health": health(name)} for name, model in choice.models.items()},
            alternatives=choice.alternatives,
            reason=choice.caveat,
        )
