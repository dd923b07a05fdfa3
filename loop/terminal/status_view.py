"""What ``athanor status`` prints: how a campaign stands, in labelled lines."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from campaigns.campaign import Campaign
from campaigns.parsing.yaml_lines import read_document
from loop.core.campaign_records import SessionRecord, time_spent
from loop.core.campaign_version import as_scored, first_trial, parameter_units
from loop.core.candidate_results import CandidateResult, best
from loop.core.formatting import (
    NOTHING_MEASURED,
    candidate_text,
    change_text,
    date_time,
    duration,
    front_text,
    metric_text,
    metrics_text,
    one_line,
    regret_text,
    score_text,
    since_text,
    state_text,
    trials_text,
)
from loop.core.journal import Amendment
from loop.core.pareto import Front, some
from loop.core.records import TrialRecord
from loop.core.standard_runs import trials_in_doubt
from loop.core.station_modes import held_stations
from loop.core.stopping import spent
from loop.core.trial_selection import completed
from loop.storage.artefacts import ENDING, HISTORY, SOURCE
from loop.storage.campaign_status import model_text, stored_front, stored_results
from loop.storage.integrity.lease import Lease, current_lease
from loop.storage.stored_laboratory import stored_orders, stored_stocks, stored_stop
from loop.terminal.console import Rows
from loop.terminal.current_campaign import amended_rows, stopping_rows
from loop.terminal.requests_view import (
    stored_requests,
    stored_standards,
    stored_unsafe,
    stored_waits,
)
from loop.terminal.sample_view import position_rows

if TYPE_CHECKING:
    from loop.storage.reader import Reader

_SHOWN = 12  # trials of a front


def status_rows(store: Reader) -> Rows:
    """Return how a campaign stands: progress, money, stopping rules, best so far, trials under way."""
    record, trials, amendments = store.campaign(), store.trials(), store.amendments()
    units = parameter_units(record.source)
    under_way = [trial for trial in trials if not trial.state.ended]
    rows = [
        ("campaign", f"{record.name}, seed {record.seed}, since {date_time(record.created)}"),
        *_budget_rows(store, trials),
        *stop_rows(store),
        *_campaign_rows(store, trials, amendments),
        *_source_rows(store),
        *_floor_rows(store, amendments),
        *_load_rows(record.source, under_way),
        *position_rows(store),
        *(
            (f"stock of {name}", f"{one.text}, reordered below {one.limit_text}")
            for name, one in stored_stocks(store).items()
        ),
        *((f"trial {t.number}", f"{_doing(t)}: {candidate_text(t.candidate, units)}") for t in under_way),
    ]
    front, found = stored_front(store, trials), stored_results(store, trials)
    if front is not None:
        return rows + _front_rows(front, units) + _regret_rows(trials, amendments)
    rows.append(("best by the model", model_text(store, found, units)))
    if not found:
        return [*rows, ("best measured", NOTHING_MEASURED)]
    return rows + _best_rows(best(found), units, store.doubts()) + _regret_rows(trials, amendments)


def stop_rows(store: Reader) -> Rows:
    """Return the emergency stop of a store's laboratory, if there is one, and else who cleared the last one."""
    stop = stored_stop(store)
    if (there := stop.read()) is not None:
        return [("STOPPED", f"{there.text}; {stop.how_to_clear}")]
    if not stop.log:
        return []
    last = stop.log[-1]
    return [("last stop", one_line(f"cleared by {last.author}, {date_time(last.time)}: {last.reason}"))]


def _budget_rows(store: Reader, trials: Sequence[TrialRecord]) -> Rows:
    """Return how much of the budget is spent, and what the last session does."""
    budget = read_document(store.campaign().source).data["budget"]
    sessions, lease = store.sessions(), current_lease(store.path)
    used = spent(trials, time_spent(sessions, time.time() if lease else None))
    counts = Counter("imported" if completed([trial]) and trial.imported else state_text(trial) for trial in trials)
    states = "".join(f", {count} {state}" for state, count in counts.items())
    return [
        ("trials", f"{used.trials} of {budget['trials']}{states}"),
        ("cost", f"{used.cost:,.0f} USD{_limit(budget.get('cost'))}"),
        ("wall time", f"{duration(used.wall_time)}{_limit(budget.get('wall_time'))}"),
        ("session", _session(sessions, lease)),
        *_ending_rows(store, lease),
    ]


def _ending_rows(store: Reader, lease: Lease | None) -> Rows:
    """Return why the run that goes on is ending, if it is."""
    kept = store.artefacts(ENDING).values() if lease is not None else ()
    return [("ending", f"{one_line(one['reason'])}; what is under way ends first") for one in kept]


def _campaign_rows(store: Reader, trials: Sequence[TrialRecord], amendments: Sequence[Amendment]) -> Rows:
    """Return how far the stopping rules are, and what was amended, by whom and why."""
    if not amendments:
        return stopping_rows(store, trials)
    file = store.stored_campaign()
    now = as_scored(file, amendments)
    rows = stopping_rows(store, trials, first_trial(amendments, len(trials)))
    return [*rows, *amended_rows(file, now.campaign), *_amendment_rows(file, amendments)]


def _floor_rows(store: Reader, amendments: Sequence[Amendment]) -> Rows:
    """Return which stations are not safe, are held or wait, and how much is asked of people."""
    unsafe, waits = stored_unsafe(store), stored_waits(store)
    rows = [(f"station {n}", f"NOT in its safe state since {date_time(t)}: {why}") for n, (why, t) in unsafe.items()]
    rows += [(f"station {name}", one.text) for name, one in held_stations(amendments, stored_orders(store)).items()]
    left = {name: one for name, one in waits.items() if name not in unsafe}
    rows += [(f"station {name}", f"waits since {date_time(one.since)}: {one.reason}") for name, one in left.items()]
    runs = stored_standards(store)
    last = {run.station: run for run in runs}
    rows += [(f"standard {n}", f"{run.text}, measured {date_time(run.time)}") for n, run in last.items()]
    if found := trials_in_doubt(store.trials() if runs else (), runs, amendments):
        rows.append(("in doubt", f"{trials_text(sorted(found))}, as a standard was off"))
    return [*rows, *request_rows(store)]


def _stock_rows(store: Reader) -> Rows:
    """Return how much there is of each consumable, and below how much it is refilled."""
    stocks = stored_stocks(store).items()
    return [(f"stock of {name}", f"{one.text}, reordered below {one.limit_text}") for name, one in stocks]


def request_rows(store: Reader) -> Rows:
    """Return how much is asked of people, if anything is."""
    count = len(stored_requests(store))
    return [("requests", f"{count}: 'athanor requests' lists them")] if count else []


def _source_rows(store: Reader) -> Rows:
    """Return what was read of earlier campaigns and measurements."""
    rows = [("learns from", f"{n}: {text}") for n, kept in store.artefacts(SOURCE).items() for text in _tally(kept)]
    return rows + [("history", text) for kept in store.artefacts(HISTORY).values() for text in kept["tally"]]


def _tally(kept: Mapping[str, Any]) -> list[str]:
    """Return what was kept of a source; stores of before have no more than its measurements."""
    return list(kept.get("tally") or [f"{kept['records']} measurements"])


def _amendment_rows(campaign: Campaign, amendments: Sequence[Amendment]) -> Rows:
    """Return the journal of a campaign: what changed, since when, by whom and why."""
    return [
        (f"amendment {one.number}", one_line(f"{change_text(campaign, one.change)}, {since_text(one)}; {_by(one)}"))
        for one in amendments
    ]


def _by(one: Amendment) -> str:
    return f"{one.author}, {date_time(one.written)}: {one.reason}"


def _limit(limit: Any) -> str:
    return "" if limit is None else f" of {limit}"


def _session(sessions: Sequence[SessionRecord], lease: Lease | None) -> str:
    if not sessions:
        return "none yet"
    last = sessions[-1]
    if last.outcome:
        return f"{last.number}, ended {date_time(last.ended)}: {one_line(last.outcome)}"
    if lease is not None:
        return f"{last.number}, running as process {lease.pid}, last activity {_ago(last.ended)}"
    return f"{last.number}, was killed, last activity {_ago(last.ended)}; 'athanor run' goes on"


def _ago(epoch: float) -> str:
    return f"{duration(time.time() - epoch)} ago"


def _load_rows(source: str, trials: Sequence[TrialRecord]) -> Rows:
    """Return which samples stand together at stations that take several."""
    found: dict[tuple[str, str], list[int]] = {}
    for trial in trials:
        for step in trial.steps:
            if step.open and step.load:
                found.setdefault((step.station, step.load), []).append(trial.number)
    stations = read_document(source).data.get("stations", {}) if found else {}
    return [
        (f"load at {station}", f"{len(numbers)}{_of_places(stations, station)}: {trials_text(numbers)}")
        for (station, _), numbers in found.items()
    ]


def _of_places(stations: Mapping[str, Any], station: str) -> str:
    """Return how many places a station has, where the campaign's own file says so."""
    known = dict(stations.get(station) or {}).get("capacity")
    return "" if known is None else f" of {known}"


def _doing(trial: TrialRecord) -> str:
    steps = [step for step in trial.steps if step.ended is None]
    return f"{steps[-1].name} at {steps[-1].station}, {trial.state}" if steps else str(trial.state)


def _best_rows(found: CandidateResult | None, units: Mapping[str, str], doubts: Mapping[int, str]) -> Rows:
    if found is None:
        return [("best measured", "no feasible candidate yet")]
    rows = [("best measured", f"{found.label}, score {score_text(found)}: {candidate_text(found.candidate, units)}")]
    rows += [("  the models doubt", doubts[found.number])] if found.number in doubts else []
    return rows + [(f"  {name}", metric_text(metric)) for name, metric in found.metrics.items()]


def _regret_rows(trials: Sequence[TrialRecord], amendments: Sequence[Amendment]) -> Rows:
    """Return the latest regret estimate; one of before an amendment is that of another campaign, as for the rules."""
    known = [(t.number, t.regret) for t in completed(trials) if t.regret is not None]
    first = first_trial(amendments, len(trials))
    if known and known[-1][0] < first:
        return [("regret estimate", f"known once trial {first} is completed, as the campaign was amended")]
    return [("regret estimate", f"after trial {number}: {regret_text(regret)}") for number, regret in known[-1:]]


def _front_rows(front: Front, units: Mapping[str, str]) -> Rows:
    if not front.candidates:
        return [("front", "no feasible candidate yet")]
    members = [
        (f"  {t.label}", f"{metrics_text(t.metrics, front.metrics)}: {candidate_text(t.candidate, units)}")
        for t in some(front.candidates, _SHOWN)
    ]
    return [("front", front_text(front)), *members]
