"""What ``athanor show`` prints: a trial's whole life, in labelled lines and small tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from campaigns.decisions import SampleChange
from campaigns.objective import Objective
from loop.core.campaign_version import model_columns, parameter_units
from loop.core.candidate_results import CandidateResult, by_trial
from loop.core.formatting import (
    candidate_text,
    date_time,
    duration,
    format_uncertain,
    metric_text,
    metrics_text,
    number_text,
    one_line,
    regret_text,
    score_text,
    state_text,
    trials_text,
    why_text,
)
from loop.core.journal import weights_version
from loop.core.outcome_constraints import broken_text, doubtful_text
from loop.core.pareto import Front
from loop.core.proposals import Proposal
from loop.core.records import Document, Transition, TrialRecord
from loop.core.standard_runs import StandardRun, in_doubt, side_of
from loop.core.term_contributions import term_contributions, term_label
from loop.storage.campaign_status import stored_front, stored_objective, stored_results
from loop.terminal.console import labelled, new_table
from loop.terminal.model_view import describe_model, short
from loop.terminal.requests_view import stored_standards
from loop.terminal.sample_view import history_rows, stored_samples, uses_samples

if TYPE_CHECKING:
    from loop.storage.reader import Reader


def trial_parts(store: Reader, number: int) -> RenderableType:
    """Return a trial's whole life: why it was proposed, its steps, documents, measurement and result."""
    trial = store.trial(number)
    source = store.campaign().source
    trials = store.trials()
    units, front = parameter_units(source), stored_front(store, trials)
    objective = stored_objective(store)
    one = by_trial(stored_results(store, trials)).get(number)
    doubts = [*_doubt_rows(trial, stored_standards(store)), *_candidate_rows(one, objective)]
    parts: list[tuple[str, Table]] = [
        (f"trial {trial.number}", labelled([*_trial_rows(trial, units, front, objective), *doubts])),
        ("score by terms", _terms_table(trial, front, objective)),
        ("why it was proposed", labelled(_proposal_rows(trial, units, _merit(store, trial, front), objective))),
        *_model_parts(trial, model_columns(source)),
        ("predicted and measured", _metrics_table(trial)),
        ("steps", _steps_table(trial)),
        *_sample_parts(store, number),
        ("life", _transitions_table(trial, store.transitions(number))),
        ("documents", labelled(_document_rows(store.documents(number), number))),
    ]
    shown = [(title, part) for title, part in parts if part.row_count]
    return Group(*(item for title, part in shown for item in (Text(title, style="bold"), part, Text(""))))


def _model_parts(trial: TrialRecord, columns: Sequence[str]) -> Iterator[tuple[str, Table]]:
    """Yield a table for the model of each metric that the proposal is from."""
    for name, model in trial.proposal.models.items():
        predicted = trial.proposal.predictions.get(name)
        yield f"model of {name}", labelled(describe_model(model, columns, "" if predicted is None else predicted.unit))


def _trial_rows(
    trial: TrialRecord, units: Mapping[str, str], front: Front | None, objective: Objective | None
) -> Iterator[tuple[str, str]]:
    yield "candidate", candidate_text(trial.candidate, units)
    yield "state", state_text(trial)
    if why := why_text(trial.reason, *trial.flags):
        yield "reason", why
    if trial.missing:
        yield "no value of", ", ".join(trial.missing)
    if trial.outlier:
        yield "suspected outlier", one_line(trial.outlier)
    if trial.score is not None:
        if front is None:
            yield "score", score_text(trial)
        else:
            yield "on the front", "yes" if trial.number in front.numbers else "no"
        yield "feasible", f"no, breaks {broken_text(objective, trial)}" if objective and not trial.feasible else "yes"
    if trial.regret is not None:
        yield "regret estimate at that time", regret_text(trial.regret)
    yield "created", date_time(trial.created)
    yield "ended", date_time(trial.ended)


def _doubt_rows(trial: TrialRecord, runs: Sequence[StandardRun]) -> Iterator[tuple[str, str]]:
    """Yield the calibration standards that put a trial in doubt."""
    for run in runs:
        if not run.good and in_doubt(run, runs, [trial]):
            yield "standard off", f"{side_of(run, trial)} it, that of {run.station} gave {run.text}"


def _candidate_rows(one: CandidateResult | None, objective: Objective | None) -> Iterator[tuple[str, str]]:
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
    broken = "" if objective is None else broken_text(objective, one)
    yield "pooled score", f"{score_text(one)}, {f'breaks {broken}' if broken else 'feasible'}"
    for name, metric in one.metrics.items():
        yield f"pooled {name}", metric_text(metric)


def _merit(store: Reader, trial: TrialRecord, front: Front | None) -> str:
    """Return what the prediction of a trial's score is called; empty where it has no score."""
    if front is not None:
        return ""
    old = trial.proposal.version < weights_version(store.amendments())
    return "predicted score, by the weights at that time" if old else "predicted score"


def _origin_rows(proposal: Proposal) -> Iterator[tuple[str, str]]:
    yield "generator", proposal.origin
    if proposal.node:
        yield "node", proposal.node


def _terms_table(trial: TrialRecord, front: Front | None, objective: Objective | None) -> Table:
    """Return what each term gives to the score; no rows where there is no score, or nothing but one term."""
    table = new_table("term", "metric", "points", "weight", "contribution")
    if objective is None or front is not None or trial.score is None or len(objective.terms) == 1:
        return table
    for share in term_contributions(objective, trial):
        points, contribution = (format_uncertain(v.value, v.sd) for v in (share.points, share.contribution))
        weight = f"{100 * share.weight:.3g} %"
        table.add_row(term_label(share.term), metric_text(share.metric), points, weight, contribution)
    table.add_row("score", "", "", "", score_text(trial))
    return table


def _proposal_rows(
    trial: TrialRecord, units: Mapping[str, str], score_label: str, objective: Objective | None
) -> Iterator[tuple[str, str]]:
    proposal = trial.proposal
    yield from _origin_rows(proposal)
    yield "campaign", f"with amendment {proposal.version}" if proposal.version else "campaign file unchanged"
    if proposal.reason:
        yield "reason", one_line(proposal.reason)
    if proposal.acquisition is not None:
        yield f"log expected {'' if score_label else 'hypervolume '}improvement", number_text(proposal.acquisition)
    if proposal.score is not None and score_label:
        yield score_label, format_uncertain(*proposal.score)
    if proposal.feasibility is not None:
        doubtful = "" if objective is None else doubtful_text(objective, proposal)
        yield "probability of being feasible", f"{proposal.feasibility:.2f}" + (f" ({doubtful})" if doubtful else "")
    if proposal.cost is not None:
        yield "expected cost", f"{number_text(proposal.cost)} USD"
    if proposal.duration is not None:
        yield "expected duration", duration(proposal.duration)
    if proposal.success is not None and proposal.success < 1.0:
        yield "probability of not failing", f"{proposal.success:.2f}"
    yield "trials used by the models", _numbers(proposal.learnt_from)
    yield "under way at that time", _numbers(proposal.pending)
    yield from _alternatives(trial, units)


def _alternatives(trial: TrialRecord, units: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the best candidates that were not chosen."""
    for other in trial.proposal.alternatives:
        yield f"not chosen ({number_text(other.acquisition)})", candidate_text(other.candidate, units)


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


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


def _sample_parts(store: Reader, number: int) -> Iterator[tuple[str, Table]]:
    """Yield the history of each sample of a trial, where steps or people say what they do with it."""
    if uses_samples(store) or any(isinstance(one.change, SampleChange) for one in store.amendments()):
        for one in stored_samples(store).of_trial(number):
            yield f"sample {one.id}", labelled(history_rows(one))


def _steps_table(trial: TrialRecord) -> Table:
    whys = [_further(step.reason, trial) for step in trial.steps]
    heads = ("step", "attempt", "station", "state", "lab time", "cost", "token")
    table = new_table(*heads, *(["reason"] if any(whys) else []))
    for step, why in zip(trial.steps, whys, strict=True):
        took = "–" if step.started is None or step.ended is None else duration(step.ended - step.started)
        cost = f"{step.cost:.0f} USD"
        cells = (step.name, str(step.attempt), step.station, str(step.state), took, cost, step.token)
        table.add_row(*cells, *([why] if any(whys) else []))
    return table


def _transitions_table(trial: TrialRecord, transitions: Sequence[Transition]) -> Table:
    whys = [_further(change.reason, trial) for change in transitions]
    table = new_table("time", "lab time", "step", "state", *(["reason"] if any(whys) else []))
    for change, why in zip(transitions, whys, strict=True):
        lab = duration(change.lab)
        cells = (date_time(change.wall), lab, change.step or "–", str(change.state))
        table.add_row(*cells, *([why] if any(whys) else []))
    return table


def _further(reason: str, trial: TrialRecord) -> str:
    """Return a reason, but for the one that stands at the top already."""
    return "" if one_line(reason) in one_line(trial.reason) else one_line(reason)


def _document_rows(documents: Sequence[Document], number: int) -> Iterator[tuple[str, str]]:
    loads: dict[str, Sequence[Mapping[str, Any]]] = {}
    for document in documents:
        keys = document.body.get("data", {}) if document.kind == "event" else {}
        if document.kind == "start":
            loads[document.run_uid] = document.body.get("load", ())
        where, own = _at_place(number, keys, loads.get(document.run_uid, ()))
        summary = ", ".join(f"{key} {_data(value)}" for key, value in own.items())
        yield f"{document.step} {document.kind}", one_line(f"run {document.run_uid[:8]} {where}{summary}")


_PLACE = re.compile(r"(.*)_place(\d+)_(.+)")
"""What is read at one place of a station that takes several samples: station, place and name."""


def _at_place(number: int, keys: Mapping[str, Any], load: Sequence[Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Return where a trial's sample stood in a load, and with which others; and what was read there, or of all."""
    mine = next((int(one["place"]) for one in load if one["trial"] == number), None)
    found = {key: match for key in keys if (match := _PLACE.fullmatch(key))}
    if mine is None or not found:
        return "", keys
    places = len({match[2] for match in found.values()})
    mates = [int(one["trial"]) for one in load if one["trial"] != number]
    others = f", with {trials_text(mates)}" if mates else ""
    own = {key: value for key, value in keys.items() if key not in found or int(found[key][2]) == mine}
    return f"place {mine} of {places}{others}: ", own


def _data(value: Any) -> str:
    return f"({len(value)} values)" if isinstance(value, list) and len(value) > 4 else short(value)
