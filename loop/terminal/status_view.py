"""What ``athanor status`` prints: how a campaign stands, in labelled lines."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from campaigns.parsing.yaml_lines import read_document
from loop.core.campaign_records import SessionRecord
from loop.core.campaign_version import parameter_units
from loop.core.candidate_results import CandidateResult, best
from loop.core.formatting import (
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
)
from loop.core.journal import Amendment
from loop.core.pareto import Front, some
from loop.core.records import TrialRecord
from loop.core.trial_selection import completed
from loop.storage.artefacts import HISTORY, SOURCE
from loop.storage.campaign_status import model_text, stored_front, stored_results
from loop.storage.lease import Lease, current_lease
from loop.terminal.console import Rows

if TYPE_CHECKING:
    from loop.storage.reader import Reader

_SHOWN = 12  # trials of a front


def status_rows(store: Reader) -> Rows:
    """Return how a campaign stands: progress, money, best so far, trials under way."""
    campaign, trials = store.campaign(), store.trials()
    budget = read_document(campaign.source).data["budget"]
    units = parameter_units(campaign.source)
    counts = Counter("imported" if completed([trial]) and trial.imported else state_text(trial) for trial in trials)
    full = sum(trial.counted for trial in trials)
    spent = sum(step.cost for trial in trials for step in trial.steps)
    rows = [
        ("campaign", f"{campaign.name}, seed {campaign.seed}, since {date_time(campaign.created)}"),
        (
            "trials",
            f"{full} of {budget['trials']}" + "".join(f", {n} {s}" for s, n in counts.items()),
        ),
        ("cost", f"{spent:,.0f} USD{_limit(budget.get('cost'))}"),
        ("time", f"{duration(sum(s.ended - s.started for s in store.sessions()))}{_limit(budget.get('wall_time'))}"),
        ("session", _session(store.sessions(), current_lease(store.path))),
    ]
    sources = store.artefacts(SOURCE)
    rows += [("learns from", f"{name}: {text}") for name, kept in sources.items() for text in _told(kept)]
    rows += [("history", text) for kept in store.artefacts(HISTORY).values() for text in kept["tally"]]
    under_way = [trial for trial in trials if not trial.state.ended]
    rows += [(f"trial {t.number}", f"{_doing(t)}: {candidate_text(t.candidate, units)}") for t in under_way]
    rows += amendment_rows(campaign.source, store.amendments())
    front, found = stored_front(store, trials), stored_results(store, trials)
    if front is not None:
        return rows + _front_rows(front, units) + _regret_rows(trials)
    rows.append(("best by the model", model_text(store, found, units)))
    return rows + _best_rows(best(found), units) + _regret_rows(trials)


def _told(kept: Mapping[str, Any]) -> list[str]:
    """Return what was kept of a source; stores of before have no more than its measurements."""
    return list(kept.get("tally") or [f"{kept['records']} measurements"])


def amendment_rows(source: str, amendments: Sequence[Amendment]) -> Rows:
    """Return the journal of a campaign, by the text of its file: what changed, since when, by whom and why."""
    if not amendments:
        return []
    from campaigns.campaign import Campaign

    campaign = Campaign.model_validate(read_document(source).data)
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


def _doing(trial: TrialRecord) -> str:
    steps = [step for step in trial.steps if step.ended is None]
    return f"{steps[-1].name} at {steps[-1].station}, {trial.state}" if steps else str(trial.state)


def _best_rows(found: CandidateResult | None, units: Mapping[str, str]) -> Rows:
    if found is None:
        return [("best measured", "no feasible candidate yet")]
    rows = [("best measured", f"{found.label}, score {score_text(found)}: {candidate_text(found.candidate, units)}")]
    return rows + [(f"  {name}", metric_text(metric)) for name, metric in found.metrics.items()]


def _regret_rows(trials: Sequence[TrialRecord]) -> Rows:
    known = [(t.number, t.regret) for t in completed(trials) if t.regret is not None]
    return [("regret estimate", f"after trial {number}: {regret_text(regret)}") for number, regret in known[-1:]]


def _front_rows(front: Front, units: Mapping[str, str]) -> Rows:
    if not front.candidates:
        return [("front", "no feasible candidate yet")]
    members = [
        (f"  {t.label}", f"{metrics_text(t.metrics, front.metrics)}: {candidate_text(t.candidate, units)}")
        for t in some(front.candidates, _SHOWN)
    ]
    return [("front", front_text(front)), *members]
