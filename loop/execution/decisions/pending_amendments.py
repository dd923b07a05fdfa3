"""What a run makes of the journal: which campaign is the current one, and what somebody has asked for.

Amendments are applied at defined points only, before a proposal and between results, each with the number of the
first trial that it holds for: so the same campaign with the same journal proposes the same, killed or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from campaigns.amendments import AddTrial, CampaignChange, amended, as_released, check_amended
from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.history import broken_rule
from campaigns.spaces.parameters import allowed_values, unit_after
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate
from loop.core.journal import Amendment, changes_of
from loop.core.records import TrialRecord, TrialResult
from loop.core.trial_scoring import score_trial
from loop.core.trial_selection import completed
from loop.execution.bound_expansion import expand_bounds
from loop.execution.campaign_state import CampaignState
from loop.sampling.nonempty import check_not_empty
from loop.storage.store import Store
from loop.validation.limit_checks import HasLimits, check_limits

_GROWTH = "growth"


def rescored(campaign: Campaign, trials: Iterable[TrialRecord]) -> dict[int, TrialResult]:
    """Return the completed trials of full fidelity with their scores by a campaign's objective."""
    objective = campaign.build_objective()
    return {t.number: score_trial(objective, t, {}) for t in completed(trials)}


def checked(campaign: Campaign, changes: Sequence[CampaignChange], limits: Mapping[str, HasLimits]) -> Campaign:
    """Return the current campaign version after some changes, the last of which is new.

    Args:
        campaign: of the file.
        changes: at least one.
        limits: station to what its instrument states; none where that is not known.

    Raises:
        CampaignError: the last change is impossible, or leads out of the limits of an instrument, or would as soon
            as what it changes is not fixed any more.
    """
    found = check_amended(campaign, changes[:-1], changes[-1])
    check_not_empty(found, "")
    if limits:
        check_limits(as_released(campaign, changes), limits)
    return found


def check_candidate(campaign: Campaign, candidate: Candidate) -> str:
    """Return why a candidate cannot be run in a campaign; empty if it can."""
    space = campaign.space
    if (candidate.material is not None) != (space.pool is not None):
        return "material=... names the entry of the pool, in a campaign that has one, and in no other"
    if not space.contains(candidate):
        if forbidden := _forbidden(space, candidate):
            return f"the laboratory forbids it: {'; '.join(forbidden)}; see its lab file"
        if space.model_copy(update={"rows": None}).contains(candidate):
            return f"it is no row of {space.rows.file if space.rows else 'the table'}; only its rows may be chosen"
        outside = "; ".join(_outside(space, candidate))
        return f"it lies outside of the current space: {outside}; change the space first, by 'athanor space'"
    return ""


def _forbidden(space: SpaceConfig, candidate: Candidate) -> list[str]:
    """Return the combinations that a candidate sets although the laboratory forbids them."""
    try:
        applying = space.present(candidate.parameters)
    except KeyError:
        return []
    return [one.condition.text for one in space.forbidden if one.broken(applying, candidate.material)]


def _outside(space: SpaceConfig, candidate: Candidate) -> list[str]:
    """Return each parameter whose value is not allowed, with what is; else the rule that is broken."""
    values, known = candidate.parameters, space.all_parameters
    told = [
        f"{name} got {values[name]}{unit_after(known[name].unit)}, {allowed_values(known[name])}"
        for name in values
        if name in known and not known[name].contains(values[name])
    ]
    if told:
        return told
    try:
        applying = space.present(values)
    except KeyError as error:
        return [f"{error.args[0]} is missing"]
    if extra := [name for name in values if name not in applying]:
        return [f"{', '.join(extra)}: does not apply with these values"]
    return [broken_rule(space, candidate)]


def apply_pending(state: CampaignState, limits: Mapping[str, HasLimits]) -> list[Amendment]:
    """Apply what was written into the journal since, from the next trial on, with the scores that follow.

    Args:
        state: of the session.
        limits: station to what its instrument states.

    Returns:
        What changes the campaign, with what was refused and why.
    """
    waiting = [a for a in state.read_journal() if a.waiting and changes_of([a])]
    if not waiting:
        return []
    held, refused = [a for a in state.journal if a.first is not None], dict[int, str]()
    for one in waiting:
        try:
            checked(state.file_campaign, changes_of([*held, one]), limits)
        except CampaignError as error:
            refused[one.number] = "; ".join(problem.message for problem in error.problems)
        else:
            held.append(one)
    trials = state.trials
    first = {a.number: len(trials) for a in waiting if a.number not in refused}
    scores = rescored(amended(state.file_campaign, changes_of(held)), trials)
    state.store.decide_amendments(first, refused, scores)
    return [a for a in state.read_journal() if a.number in {*first, *refused}]


def expand(state: CampaignState) -> list[Amendment]:
    """Let a bound grow against which the optimum presses, from the next trial on; return what was done."""
    found = expand_bounds(state.campaign, state.trials)
    if found is None:
        return []
    change, reason = found
    grown = state.store.amend([change], (_GROWTH, reason), {}, first=len(state.trials))
    state.read_journal()
    return grown


def requested_trial(state: CampaignState) -> Amendment | None:
    """Return the first trial that somebody waits for; with the refusal, if it may not be run any more."""
    for one in state.journal:
        if one.waiting and isinstance(one.change, AddTrial):
            why = check_candidate(state.campaign, one.change.candidate)
            return refuse(state.store, one, why) if why else one
    return None


def refuse(store: Store, one: Amendment, why: str) -> Amendment:
    """Record why an amendment is not applied; return it with that."""
    store.decide_amendments({}, {one.number: why}, {})
    return replace(one, refused=why)
