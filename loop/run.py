"""Run a campaign: propose, claim, dispatch, analyse, judge, record, learn, until a stopping rule holds."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from campaigns.campaign import Campaign
from campaigns.errors import LabError
from loop.core.author import author
from loop.core.campaign_records import SessionRecord, time_spent
from loop.core.campaign_version import CampaignVersion, as_shown, campaign_version
from loop.core.events import Event, PoolReady, Preparing, Proposed, SourceRead, Started, StationsReady, Warned
from loop.core.fingerprint import campaign_record
from loop.core.formatting import counted
from loop.core.journal import Amendment
from loop.core.outcome_constraints import doubtful_text
from loop.core.records import TrialRecord
from loop.core.stopping import spent, stop_reason
from loop.execution.jobs.dispatcher import Dispatcher
from loop.execution.laboratory.lab_setup import build_lab
from loop.execution.laboratory.start_checks import check_stations
from loop.execution.manager import Manager
from loop.execution.options import RunOptions, SessionResult
from loop.execution.retraining import Retraining
from loop.execution.session import CampaignResources, Session
from loop.execution.shared_lab.attached_lab import AttachedLab
from loop.execution.shared_lab.socket_file import is_served, was_left
from loop.execution.trial_import import computed_of, with_imports
from loop.planning.custom_model_check import check_custom_models
from loop.planning.planner import Planner
from loop.planning.pool_data import PoolData, build_encoder, build_pool_data, caveats_of
from loop.planning.shortlist import SpaceExhaustedError
from loop.storage.artefacts import HISTORY
from loop.storage.external_measurements import Measurements, news, read_history
from loop.storage.integrity.begun_jobs import BegunJobs
from loop.storage.integrity.witnesses import beyond_text, lab_folder
from loop.storage.lab_files.lab_lock import LabLock, has_lab_process, holder, shared_folder
from loop.storage.lab_files.stop_files import STOP_FILE, stop_file_of
from loop.storage.pool_snapshot import SnapshotMaker, keeping_snapshots
from loop.storage.prior_campaigns import keep_sources, of_pool, read_sources
from loop.storage.reader import Reader, store_path
from loop.storage.row_outcomes import tally
from loop.storage.store import Store

_DRY_RUN_TRIALS = 3
_LAB_PROCESS = 60.0
"""Wall time in seconds in which a lab process that was killed may be started again before a run gives up. Not tuned."""
_LOOK = 0.2
"""Wall time in seconds between two looks for it."""
_SERVE = "'athanor lab run"
_ROLE = "history"
_HISTORY = "history of the campaign file"
_VERSIONS = ("athanor-sdl", "ax-platform", "botorch", "bluesky", "chgnet", "matgl", "ophyd", "pymatgen", "torch")


def run(campaign: Campaign, options: RunOptions, on_event: Callable[[Event], None]) -> SessionResult:
    """Run or continue a campaign.

    Args:
        campaign: what to do.
        options: where to keep it, and how the user may end it.
        on_event: called with everything that happens, in this thread; in others only with what the store waits for.

    Raises:
        AthanorError: the campaign cannot be run: file, lab, model or store.
    """
    if not options.dry_run:
        stop_file_of(campaign, store_path(options.store_url)).check()
    parts = prepare(campaign, on_event)
    if options.dry_run:
        return _dry_run(parts, options, on_event)
    return conduct(parts, options, on_event)


def prepare(campaign: Campaign, on_event: Callable[[Event], None]) -> CampaignResources:
    """Return what a session of a campaign is made of, before there is a lab.

    Raises:
        AthanorError: pool, sources or models cannot be had.
    """
    torch.set_num_threads(1)  # the models are small, and sums then have one order
    materials = build_pool_data(campaign, lambda *far: on_event(Preparing(*far)))
    if materials is not None:
        on_event(PoolReady(len(materials.pool)))
        for text in caveats_of(campaign, materials):
            on_event(Warned(text))
    sources = read_sources(campaign)
    for source in sources:
        for text in tally(source if materials is None else of_pool(source, materials.pool.lacks)):
            on_event(SourceRead(f"{source.name}: {text}"))
    planner = Planner(campaign, build_encoder(campaign, materials), sources)
    check_custom_models(planner.models.problem)
    return CampaignResources(campaign, materials, planner, sources)


def conduct(parts: CampaignResources, options: RunOptions, on_event: Callable[[Event], None]) -> SessionResult:
    """Run or continue a campaign whose parts are ready; see ``run``."""
    store = Store(options.store_url)
    store.on_wait = lambda text: on_event(Warned(text))
    outcome = "failed"
    try:
        if (begun := _begun_jobs(parts.campaign, store)) is not None:
            begun.check()  # before a session begins, so that a refusal changes nothing
        store.begin(campaign_record(parts.campaign, options.source_text), versions())
        if text := beyond_text(store.path):
            on_event(Warned(text))
        keep_sources(parts.sources, store)
        for text in request_history_import(parts, store):
            on_event(SourceRead(text, _ROLE))
        shared = is_shared(parts.campaign, options, on_event)
        with nullcontext() if shared else _sole_driver(parts.campaign):
            result = _run(parts, store, options, on_event, shared=shared)
        outcome = result.reason
    finally:
        store.close(outcome)
    return result


def is_shared(campaign: Campaign, options: RunOptions, on_event: Callable[[Event], None]) -> bool:
    """Return whether a lab process owns the instruments, to which the session attaches; it is waited for.

    Raises:
        LabError: one that was killed has not returned, and nobody has said that it has ended: its campaigns may still
            be at the instruments; or one that runs cannot be reached.
    """
    if campaign.rules is None or campaign.rules.is_simulated:
        return False
    file, ends, told = campaign.rules.path, time.monotonic() + _LAB_PROCESS, ""
    while not is_served(file) and (awaited := _awaited(file)):
        warning, why = awaited
        if told != warning:
            on_event(Warned(warning))
            told = warning
        if time.monotonic() > ends or options.abort.is_set() or options.stop.wait(_LOOK):
            raise LabError(why)
    return is_served(file)


def _awaited(file: Path) -> tuple[str, str] | None:
    """Return a warning that a lab process is waited for, and an error where that is in vain; None if there is none."""
    if has_lab_process(file):
        doing = f"the lab process of {file} runs, and cannot be reached"
        return f"{doing} yet: it is waited for", f"{doing}: look at {holder(file)}; if it hangs, start it again"
    if was_left(file):
        doing, again = f"the lab process of {file} has gone without an end", f"{_SERVE} {file}'"
        end = f"'athanor lab stop {file}', after which campaigns may drive the instruments"
        return (
            f"{doing}, and is waited for: {again}",
            f"{doing}: start it again by {again}, or say that it has ended: {end}",
        )
    return None


def _begun_jobs(campaign: Campaign, store: Store) -> BegunJobs | None:
    """Return what is known of the jobs that were begun on the laboratory; None of a simulated one: it has a ledger."""
    if campaign.rules is not None and not campaign.rules.is_simulated:
        return BegunJobs(shared_folder(campaign.rules.path), store.path, store.on_wait)
    if campaign.lab.kind in ("real", "custom"):
        return BegunJobs(lab_folder(store.path), store.path, store.on_wait)
    return None


def _sole_driver(campaign: Campaign) -> AbstractContextManager[object]:
    """Return what keeps other processes from driving the instruments of a lab file meanwhile.

    Raises:
        LabInUseError: one does.
    """
    if campaign.rules is None or campaign.rules.is_simulated:
        return nullcontext()
    return LabLock(campaign.rules.path, f"the run of campaign {campaign.name}")


def request_history_import(parts: CampaignResources, store: Store) -> Iterator[str]:
    """Write into the journal what the file's history holds that is new; yield what should be known of it.

    Raises:
        CampaignError: a table cannot be read, or rows of it that were imported are gone.
    """
    for found in _history(parts.campaign, parts.materials, store.amendments()):
        yield from found.text
        store.keep(HISTORY, found.table, {"tally": found.text})
        new = news(found, store.amendments(), store.trials())
        yield from new.remarks
        if new.changes:
            store.amend(new.changes, (author(), _HISTORY), {})


def _history(campaign: Campaign, materials: PoolData | None, known: Sequence[Amendment]) -> list[Measurements]:
    return read_history(as_shown(campaign, known), None if materials is None else materials.pool.lacks)


def _run(
    parts: CampaignResources, store: Store, options: RunOptions, on_event: Callable[[Event], None], *, shared: bool
) -> SessionResult:
    campaign, materials = parts.campaign, parts.materials
    trials, now = store.trials(), campaign_version(campaign, store.amendments())
    parts.planner.amend(now)
    parts.planner.recall(trials)
    latest = max((t.lab for t in store.transitions()), default=0.0)
    retraining = _retraining(parts, store.path)
    lab = AttachedLab(campaign, latest) if shared else build_lab(campaign, materials, lab_folder(store.path), latest)
    try:
        dispatcher = Dispatcher(campaign, lab, store, None if materials is None else materials.pool)
    except BaseException:
        lab.close()
        raise
    try:
        if (begun := _begun_jobs(campaign, store)) is not None and (text := begun.check()):
            on_event(Warned(text))
        dispatcher.begun = begun
        check_stations(now.campaign, dispatcher, store)
        store.keep(STOP_FILE, "path", {"path": str(dispatcher.safety.stop.path)})
        on_event(
            Started(now.campaign, options.store_url, tuple(trials), time_spent(store.sessions(), store.session_time))
        )
        on_event(StationsReady(dispatcher.describe))
        session = Session(store, lab.clock, options, _with_snapshots(materials, store, on_event))
        return Manager(parts, dispatcher, session, retraining).run()
    finally:
        dispatcher.close()
        for text in dispatcher.safety.news():  # of stations that were told to go into their safe states as it ended
            on_event(Warned(text))
        if retraining is not None:
            retraining.stop()


def _retraining(parts: CampaignResources, store: Path) -> Retraining | None:
    """Return what tunes the campaign's model, if it wants that; tuned models are kept beside the store."""
    rule = parts.campaign.surrogate.retrain
    if rule is None or parts.materials is None:
        return None
    return Retraining(parts.campaign, rule, parts.materials.pool, store.with_suffix(".models"), parts.planner.models)


def _with_snapshots(
    materials: PoolData | None, store: Store, on_event: Callable[[Event], None]
) -> Callable[[Event], None]:
    """Return what receives the events, and also keeps what the report will show of the pool, if there is one."""
    if materials is None:
        return on_event
    name = next(iter(materials.views))
    return keeping_snapshots(SnapshotMaker.of(materials.pool, name, materials.views[name]), store, on_event)


def _dry_run(parts: CampaignResources, options: RunOptions, on_event: Callable[[Event], None]) -> SessionResult:
    """Say what would be proposed next, and why so much of it; touch neither lab nor store."""
    campaign, planner = parts.campaign, parts.planner
    trials: list[TrialRecord] = []
    known: list[Amendment] = []
    sessions: list[SessionRecord] = []
    if store_path(options.store_url).exists():
        reader = Reader(options.store_url)
        trials, known, sessions = reader.trials(), reader.amendments(), reader.sessions()
    now = campaign_version(campaign, (replace(a, first=len(trials)) if a.waiting else a for a in known))
    planner.amend(now)
    for found in _history(campaign, parts.materials, known):
        for text in found.text:
            on_event(SourceRead(text, _ROLE))
        known += _would_import(found, known, trials)
    trials = with_imports(trials, known, now, computed_of(parts.materials))
    planner.recall(trials)
    count, why = _dry_run_count(now, trials, options, time_spent(sessions))
    for shown in range(count):
        try:
            number, candidate, proposal = planner.suggest()
        except SpaceExhaustedError as error:
            why = f"{counted(shown, 'proposal')}, then none is left: {error}"
            break
        on_event(Proposed(number, candidate, proposal, doubtful_text(now.campaign.build_objective(), proposal)))
    return SessionResult(f"{why}; nothing was moved, nothing was stored", finished=False, trials=tuple(trials))


def _dry_run_count(
    now: CampaignVersion, trials: Sequence[TrialRecord], options: RunOptions, wall_time: float
) -> tuple[int, str]:
    """Return how many proposals a dry run shows, and why so many."""
    used = spent(trials, wall_time)
    if reason := stop_reason(now.campaign, trials, used, now.first):
        return 0, f"no proposal, as a run stops at once: {reason}"
    left, asked = now.campaign.budget.trials - used.trials, options.max_trials
    count = min(left, _DRY_RUN_TRIALS if asked is None else asked)
    waiting = sum(not trial.state.ended for trial in trials)
    behind = f", behind {counted(waiting, 'trial')} that a run goes on with first" if waiting else ""
    if count == left:
        why = "as many as are left of the budget"
    else:
        why = "unless --max-trials says otherwise" if asked is None else "as --max-trials says"
    return count, f"{counted(count, 'proposal')}{behind}, {why}, each without the results of those before it"


def _would_import(found: Measurements, known: Sequence[Amendment], trials: Sequence[TrialRecord]) -> list[Amendment]:
    """Return what a run would import of a table."""
    changes, first = news(found, known, trials).changes, 1 + max((one.number for one in known), default=0)
    return [Amendment(i, time.time(), author(), _HISTORY, change) for i, change in enumerate(changes, first)]


def versions() -> dict[str, str]:
    """Return the version of each distribution that decides about results."""
    return {name: importlib.metadata.version(name) for name in _VERSIONS}
