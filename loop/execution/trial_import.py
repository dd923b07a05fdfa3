"""What was measured elsewhere becomes trials: completed ones, with their score and where they come from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from campaigns.amendments import CompleteTrials, Import, ImportTrials
from campaigns.history import MisfitError, placed
from campaigns.objective import Objective
from campaigns.values import TrialState
from loop.core.campaign_version import CampaignVersion
from loop.core.formatting import metrics_text
from loop.core.journal import Amendment
from loop.core.proposals import IMPORTED, Proposal
from loop.core.records import TrialRecord
from loop.core.trial_scoring import score_trial
from loop.execution.decisions.pending_amendments import refuse
from loop.storage.row_matching import added
from loop.storage.store import Store

if TYPE_CHECKING:
    from loop.execution.campaign_state import CampaignState
    from loop.planning.planner import Planner
    from loop.planning.pool_data import PoolData

Computed = Callable[[str | None], Mapping[str, float]]
"""From a material's id to its computed metrics; it raises ValueError for a material that the pool has not."""


def waiting_imports(amendments: Sequence[Amendment]) -> list[Amendment]:
    """Return what is to be imported, in the order in which it was asked for."""
    return [one for one in amendments if one.waiting and isinstance(one.change, Import)]


def check_import(one: Amendment, version: CampaignVersion, computed: Computed) -> str:
    """Return why measurements cannot be trials of a campaign; empty if they can.

    They were checked when they were read. The file may have changed since, and an amendment before them been refused.
    """
    assert isinstance(one.change, Import)  # noqa: S101 - nothing else is asked about
    units = {name: metric.unit for name, metric in version.campaign.measured.items()}
    for row in one.change.rows:
        stated = {name: unit for name, (_, _, unit) in row.metrics.items()}
        try:
            placed(version.enclosing_space, row.candidate)
            computed(row.material)
        except MisfitError as error:
            return f"row {row.row}: {error}; import the table again"
        except ValueError:
            return f"row {row.row}: the pool has no material {row.material!r}; import the table again"
        if any(units.get(name) != unit for name, unit in stated.items()):
            return f"row {row.row}: its metrics are not those of the campaign any more; import the table again"
    return ""


def imported_trials(one: Amendment, version: CampaignVersion, first: int, computed: Computed) -> list[TrialRecord]:
    """Return the trials that measurements become.

    Args:
        one: asks for them.
        version: the current campaign version.
        first: number of the first of them.
        computed: tells what needs no experiment.
    """
    assert isinstance(one.change, ImportTrials)  # noqa: S101 - nothing else is asked about
    objective, table, now = version.campaign.build_objective(), one.change.table, time.time()
    by = f"imported by {one.author}: {one.reason}"
    found = []
    for number, row in enumerate(one.change.rows, first):
        place = f"{'measurement' if table.endswith('.db') else 'row'} {row.row} of {table}"
        proposal = Proposal(IMPORTED, reason=f"{place}, {by}", version=version.version)
        trial = TrialRecord(
            number=number,
            candidate=row.candidate,
            state=TrialState.COMPLETED,
            reason="",
            proposal=proposal,
            metrics=row.measured,
            flags=(),
            score=None,
            score_sd=None,
            feasible=None,
            completed_order=None,
            created=now,
            ended=now,
            steps=(),
        )
        found.append(_judged(objective, trial, computed(row.material)))
    return found


def _judged(objective: Objective, trial: TrialRecord, computed: Mapping[str, float]) -> TrialRecord:
    """Return a trial with all of its metrics and its score."""
    said = score_trial(objective, trial, computed)
    gate = replace(trial, metrics=said.metrics, reason=said.reason)
    return replace(gate, score=said.score, score_sd=said.score_sd, feasible=said.feasible)


def completed_trials(
    one: Amendment,
    version: CampaignVersion,
    amendments: Sequence[Amendment],
    trials: Sequence[TrialRecord],
    computed: Computed,
) -> dict[int, TrialRecord]:
    """Return number to trial, with what was measured later of those that were imported.

    Args:
        one: brings it.
        version: the current campaign version.
        amendments: the journal.
        trials: by their numbers.
        computed: tells what needs no experiment.

    Raises:
        MisfitError: a trial is not there any more, or was completed meanwhile.
    """
    assert isinstance(one.change, CompleteTrials)  # noqa: S101 - nothing else is asked about
    objective, measured = version.campaign.build_objective(), version.campaign.measured
    first = {amendment.number: amendment.first for amendment in amendments}
    found: dict[int, TrialRecord] = {}
    for row, (number, place) in zip(one.change.rows, one.change.completes, strict=True):
        begin = first.get(number)
        if begin is None or trials[begin + place].state is not TrialState.COMPLETED:
            raise MisfitError(f"row {row.row}: what it completes is no trial any more; import the table again")
        trial = trials[begin + place]
        known = {name: metric for name, metric in trial.metrics.items() if name in measured}
        more = added(known, row.measured)
        if not more:
            raise MisfitError(f"row {row.row}: its trial was completed meanwhile; import the table again")
        found[trial.number] = _judged(objective, replace(trial, metrics=known | more), computed(row.material))
    return found


def with_imports(
    trials: Sequence[TrialRecord], amendments: Sequence[Amendment], version: CampaignVersion, computed: Computed
) -> list[TrialRecord]:
    """Return trials with what the journal has yet to import, as a run would make them; nothing is stored."""
    found, known = list(trials), list(amendments)
    for one in waiting_imports(known):
        if isinstance(one.change, ImportTrials):
            known[known.index(one)] = replace(one, first=len(found))
            found += imported_trials(one, version, len(found), computed)
        else:
            with suppress(MisfitError):  # a run would refuse it
                for number, trial in completed_trials(one, version, known, found, computed).items():
                    found[number] = trial
    return found


def _duplicate(one: Amendment, journal: Sequence[Amendment]) -> str:
    """Return that two people imported the same rows at once; empty where they did not."""
    before = [a.number for a in journal if a.number < one.number and not a.refused and a.change == one.change]
    return f"amendment {before[0]} imports the same rows" if before else ""


def apply_import(store: Store, one: Amendment, version: CampaignVersion, computed: Computed, lab: float) -> Amendment:
    """Make trials of what somebody asked to import, in one transaction, or refuse it; return what was done."""
    if why := _duplicate(one, store.amendments()) or check_import(one, version, computed):
        return refuse(store, one, why)
    if isinstance(one.change, CompleteTrials):
        return _complete(store, one, version, computed, lab)
    trials = imported_trials(one, version, store.count(), computed)
    store.import_trials(trials, one.number, lab)
    return replace(one, first=trials[0].number)


def _complete(store: Store, one: Amendment, version: CampaignVersion, computed: Computed, lab: float) -> Amendment:
    """Add to trials what was measured of them later, or refuse it; return what was done."""
    assert isinstance(one.change, CompleteTrials)  # noqa: S101 - nothing else is given
    trials = store.trials()
    try:
        found = completed_trials(one, version, store.amendments(), trials, computed)
    except MisfitError as error:
        return refuse(store, one, str(error))
    reasons = {}
    for row, number in zip(one.change.rows, found, strict=True):
        more = added(trials[number].metrics, row.measured)
        place = f"{'measurement' if one.change.table.endswith('.db') else 'row'} {row.row} of {one.change.table}"
        reasons[number] = f"{metrics_text(more, list(more))}: {place}, imported by {one.author}: {one.reason}"
    store.complete(found, one.number, lab, reasons)
    return replace(one, first=min(found))


def import_pending(state: CampaignState, planner: Planner, computed: Computed, lab: float) -> list[Amendment]:
    """Make trials of all that operators have imported since, for the planner too; return it, refused or not.

    Args:
        state: of the session, whose trials are read again.
        planner: learns from them.
        computed: tells what needs no experiment.
        lab: lab time in seconds.
    """
    done = [_import(state, planner, one, computed, lab) for one in waiting_imports(state.journal)]
    if any(not one.refused for one in done):
        state.read_trials()
    return done


def _import(state: CampaignState, planner: Planner, one: Amendment, computed: Computed, lab: float) -> Amendment:
    done = apply_import(state.store, one, state.version, computed, lab)
    if done.first is not None and isinstance(one.change, CompleteTrials):
        planner.relearn(state.store.trials())
    elif done.first is not None:
        planner.recall(state.store.trials()[done.first :])
    return done


def computed_of(materials: PoolData | None) -> Computed:
    """Return what tells the computed metrics of a material."""
    return (lambda _: {}) if materials is None else materials.computed_of
