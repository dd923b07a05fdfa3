"""A suggestion of the planner becomes a trial that waits."""

from __future__ import annotations

from dataclasses import replace

from loop.core.events import Proposed
from loop.core.outcome_constraints import doubtful_text
from loop.diagnostics.model_changes import model_changes
from loop.execution.campaign_state import CampaignState
from loop.execution.completion import model_events
from loop.execution.session import Session
from loop.planning.planner import Suggestion


def queue_suggestion(session: Session, state: CampaignState, suggestion: Suggestion, asked: int | None = None) -> None:
    """Store a suggestion as a trial that waits, and tell of it.

    Args:
        session: where it is stored, and who is told.
        state: of the session, which then has the trial.
        suggestion: number, candidate and why.
        asked: the amendment that asks for it, if any does.
    """
    number, candidate, proposal = suggestion
    proposal = replace(proposal, version=state.version.version)
    session.store.propose(number, candidate, proposal, session.clock.now(), asked)
    state.read_trial(number)
    doubtful = doubtful_text(state.campaign.build_objective(), proposal)
    session.on_event(Proposed(number, candidate, proposal, doubtful))
    session.emit(model_events(number, model_changes([trial.proposal for trial in state.trials])))
