"""What ``athanor validate``, ``status`` and ``show`` print: labelled lines and small tables."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from campaigns.parsing.yaml_lines import read_document
from loop.core.campaign_records import SessionRecord
from loop.core.campaign_version import parameter_units
from loop.core.candidate_results import CandidateResult, best, by_trial
from loop.core.formatting import (
    candidate_text,
    change_text,
    date_time,
    duration,
    format_uncertain,
    front_text,
    metric_text,
    metrics_text,
    one_line,
    regret_text,
    score_text,
    since_text,
    state_text,
)
from loop.core.journal import Amendment, weights_version
from loop.core.pareto import Front, some
from loop.core.proposals import Proposal
from loop.core.records import Document, StepRecord, Transition, TrialRecord
from loop.core.trial_selection import completed
from loop.storage.artefacts import HISTORY, SOURCE
from loop.storage.campaign_status import model_text, stored_front, stored_results
from loop.terminal.console import Rows, labelled, new_table

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
        ("session", _session(store.sessions())),
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


def trial_parts(store: Reader, number: int) -> RenderableType:
    """Return a trial's whole life: why it was proposed, its steps, documents, measurement and result."""
    trial = store.trial(number)
    source = store.campaign().source
    trials = store.trials()
    units, front = parameter_units(source), stored_front(store, trials)
    one = by_trial(stored_results(store, trials)).get(number)
    parts: list[tuple[str, RenderableType]] = [
        (f"trial {trial.number}", labelled([*_trial_rows(trial, units, front), *_candidate_rows(one)])),
        ("why it was proposed", labelled(_proposal_rows(trial.proposal, units, _merit(store, trial, front)))),
        ("predicted and measured", _metrics_table(trial)),
        ("steps", _steps_table(trial.steps)),
        ("life", _transitions_table(store.transitions(number))),
        ("documents", labelled(_document_rows(store.documents(number)))),
    ]
    return Group(*(item for title, part in parts for item in (Text(title, style="bold"), part, Text(""))))


def _limit(limit: Any) -> str:
    return "" if limit is None else f" of {limit}"


def _session(sessions: Sequence[SessionRecord]) -> str:
    if not sessions:
        return "none yet"
    last = sessions[-1]
    if last.outcome:
        return f"{last.number}, ended {date_time(last.ended)}: {one_line(last.outcome)}"
    if _alive(last.pid):
        return f"{last.number}, running as process {last.pid}, last sign of life {_ago(last.ended)}"
    return f"{last.number}, was killed, last sign of life {_ago(last.ended)}; 'athanor run' goes on"


def _ago(epoch: float) -> str:
    return f"{duration(time.time() - epoch)} ago"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's process
    return True


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


def _trial_rows(trial: TrialRecord, units: Mapping[str, str], front: Front | None) -> Iterator[tuple[str, str]]:
    yield "candidate", candidate_text(trial.candidate, units)
    yield "state", state_text(trial)
    if trial.reason:
        yield "reason", one_line(trial.reason)
    if trial.missing:
        yield "cannot be had", ", ".join(trial.missing)
    if trial.flags:
        yield "flags", one_line(", ".join(trial.flags))
    if trial.outlier:
        yield "suspected outlier", one_line(trial.outlier)
    if trial.score is not None:
        if front is None:
            yield "score", score_text(trial)
        else:
            yield "on the front", "yes" if trial.number in front.numbers else "no"
        yield "feasible", "yes" if trial.feasible else "no, breaks a constraint"
    if trial.regret is not None:
        yield "regret estimate then", regret_text(trial.regret)
    yield "created", date_time(trial.created)
    yield "ended", date_time(trial.ended)


def _candidate_rows(one: CandidateResult | None) -> Iterator[tuple[str, str]]:
    """Yield what all readings of a candidate say together; nothing where there is one reading only."""
    if one is None or len(one.trials) == 1:
        return
    by = f"trials {', '.join(str(t.number) for t in one.trials)}"
    if one.disputed:
        yield "candidate measured by", f"{by}; not pooled, as all are suspected outliers that contradict each other"
        for t in one.readings:
            yield f"reading of trial {t.number}", metrics_text(t.metrics, list(t.metrics))
        return
    yield "candidate measured by", f"{by}; pooled: {one.named}"
    yield "pooled score", f"{score_text(one)}, {'feasible' if one.feasible else 'breaks a constraint'}"
    for name, metric in one.metrics.items():
        yield f"pooled {name}", metric_text(metric)


def _merit(store: Reader, trial: TrialRecord, front: Front | None) -> str:
    """Return what the prediction of a trial's score is called; empty where it has no score."""
    if front is not None:
        return ""
    old = trial.proposal.version < weights_version(store.amendments())
    return "predicted score, by the weights of then" if old else "predicted score"


def _origin_rows(proposal: Proposal) -> Iterator[tuple[str, str]]:
    yield "generator", proposal.origin
    if proposal.node:
        yield "node", proposal.node


def _proposal_rows(proposal: Proposal, units: Mapping[str, str], score_label: str) -> Iterator[tuple[str, str]]:
    yield from _origin_rows(proposal)
    yield "campaign", f"with amendment {proposal.version}" if proposal.version else "as the file says"
    if proposal.reason:
        yield "reason", one_line(proposal.reason)
    if proposal.acquisition is not None:
        yield f"log expected improvement{'' if score_label else ' of the front'}", f"{proposal.acquisition:.4g}"
    if proposal.score is not None and score_label:
        yield score_label, format_uncertain(*proposal.score)
    if proposal.feasibility is not None:
        yield "probability of being feasible", f"{proposal.feasibility:.2f}"
    if proposal.cost is not None:
        yield "expected cost", f"{proposal.cost:.4g} USD"
    if proposal.duration is not None:
        yield "expected duration", duration(proposal.duration)
    if proposal.success is not None and proposal.success < 1.0:
        yield "probability of not failing", f"{proposal.success:.2f}"
    yield "learnt from trials", _numbers(proposal.learnt_from)
    yield "under way then", _numbers(proposal.pending)
    for name, model in proposal.models.items():
        yield f"model of {name}", one_line(_short(model))
    for other in proposal.alternatives:
        yield f"not chosen ({other.acquisition:.4g})", candidate_text(other.candidate, units)


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _short(value: Any) -> str:
    """Return a value of a model or a document in few digits."""
    match value:
        case float():
            return f"{value:.3g}"
        case Mapping():
            return ", ".join(f"{key} {_short(item)}" for key, item in value.items())
        case list() | tuple():
            return f"[{', '.join(_short(item) for item in value)}]"
    return str(value)


def _metrics_table(trial: TrialRecord) -> Table:
    table = new_table("metric", "predicted", "measured", "deviation")
    predictions = trial.proposal.predictions
    for name in dict.fromkeys([*predictions, *trial.metrics]):
        predicted, measured = predictions.get(name), trial.metrics.get(name)
        deviation = "–"
        if predicted and measured and predicted.sd**2 + measured.sd**2 > 0:
            sigma = (predicted.sd**2 + measured.sd**2) ** 0.5
            deviation = f"{(measured.value - predicted.value) / sigma:+.1f} sd"
        texts = ["–" if metric is None else metric_text(metric) for metric in (predicted, measured)]
        table.add_row(name, *texts, deviation)
    return table


def _steps_table(steps: Sequence[StepRecord]) -> Table:
    table = new_table("step", "attempt", "station", "state", "lab time", "cost", "token", "reason")
    for step in steps:
        took = "–" if step.started is None or step.ended is None else duration(step.ended - step.started)
        cost = f"{step.cost:.0f} USD"
        cells = (step.name, str(step.attempt), step.station, str(step.state), took, cost, step.token)
        table.add_row(*cells, one_line(step.reason))
    return table


def _transitions_table(transitions: Sequence[Transition]) -> Table:
    table = new_table("time", "lab time", "step", "state", "reason")
    for change in transitions:
        lab = duration(change.lab)
        table.add_row(date_time(change.wall), lab, change.step or "–", str(change.state), one_line(change.reason))
    return table


def _document_rows(documents: Sequence[Document]) -> Iterator[tuple[str, str]]:
    for document in documents:
        keys = document.body.get("data", {}) if document.kind == "event" else {}
        summary = ", ".join(f"{key} {_data(value)}" for key, value in keys.items())
        yield f"{document.step} {document.kind}", one_line(f"run {document.run_uid[:8]} {summary}")


def _data(value: Any) -> str:
    return f"({len(value)} values)" if isinstance(value, list) and len(value) > 4 else _short(value)
