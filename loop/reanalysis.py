"""What ``athanor trial reanalyse`` does: ask for raw data to be analysed anew, and do so where no run goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from campaigns.amendments import ReanalyseTrial
from campaigns.campaign import Campaign
from campaigns.errors import StoreError
from campaigns.values import Cause, TrialState
from loop.amend import Desk, numbers
from loop.amend_words import wrong
from loop.amending import author, check_settlement
from loop.analysing import Analyst
from loop.assemble import Materials, load_materials
from loop.edition import as_scored
from loop.importing import computed_of
from loop.reader import Reader
from loop.records import Amendment, TrialRecord, Verdict
from loop.store import Store
from loop.verdict import completion
from loop.words import change_text, outcome_text, since_text


def reanalyse(desk: Desk, words: Sequence[str]) -> Iterator[str]:
    """Ask for trials to be analysed anew, and do so at once where no run goes on; yield what there is to say.

    Args:
        desk: where to write.
        words: numbers of trials; none for all that are in quarantine because of their analysis.

    Raises:
        CampaignError: there is no such trial, or no raw data of it.
    """
    trials = desk.journal.trials()
    chosen = numbers(words) or [t.number for t in trials if _faulty(t)]
    if not chosen:
        yield "no trial is in quarantine because of its analysis; name those that are to be analysed anew"
        return
    changes = [ReanalyseTrial(trial=number) for number in chosen]
    for change in changes:
        if why := check_settlement(change, trials):
            raise wrong("TRIALS", why)
    _analyst(desk, desk.journal)  # what cannot be loaded leaves nothing that waits
    desk.journal.amend(changes, (author(), desk.reason), {})
    try:
        store = Store(f"sqlite:///{desk.journal.path}")
    except StoreError:
        yield f"{len(changes)} trials are analysed anew by the run that goes on, before its next proposal"
        return
    try:
        yield from _carried_out(desk, store)
    finally:
        store.close("")


def _faulty(trial: TrialRecord) -> bool:
    return trial.state is TrialState.QUARANTINED and trial.cause is Cause.ANALYSIS


def _analyst(desk: Desk, store: Reader) -> tuple[Analyst, Campaign, Materials | None]:
    """Return what analyses by the campaign in force, with that campaign and its materials.

    Raises:
        CampaignError: an analysis, or the pool, cannot be loaded.
    """
    campaign = as_scored(desk.campaign, store.amendments()).campaign
    materials = load_materials(campaign)
    return Analyst(campaign, store, None if materials is None else materials.pool), campaign, materials


def _carried_out(desk: Desk, store: Store) -> Iterator[str]:
    """Analyse anew what waits for that."""
    analyst, campaign, materials = _analyst(desk, store)
    lab = max((change.lab for change in store.transitions()), default=0.0)
    for one in store.amendments():
        if not one.waiting or not isinstance(one.change, ReanalyseTrial):
            continue
        done, ending = _carry_out(store, analyst, one, lab)
        yield f"amendment {done.number}: {change_text(campaign, one.change)}, {since_text(done)}"
        trial = store.trial(one.change.trial)
        if not done.refused and not trial.state.ended:
            ending = ending or completion(campaign, trial, computed_of(materials)(trial.candidate.material))
            trial = trial if ending is None else store.end(trial.number, ending, lab)
        yield f"trial {trial.number}: {outcome_text(trial)}"


def _carry_out(store: Store, analyst: Analyst, one: Amendment, lab: float) -> tuple[Amendment, Verdict | None]:
    """Store what the raw data of a trial come to, or refuse that; return what was done, and what it says of the trial.

    Args:
        one: asks for it.
        lab: lab time in seconds.
    """
    assert isinstance(one.change, ReanalyseTrial)  # noqa: S101 - nothing else is given
    trials, ending = store.trials(), None
    why = check_settlement(one.change, trials)
    if not why:
        metrics, ending, why = analyst.anew(trials[one.change.trial])
    if why:
        store.take_over({}, {one.number: why}, {})
        return replace(one, refused=why), None
    store.reanalyse(one.change.trial, metrics, lab, one)
    return replace(one, first=one.change.trial), ending
