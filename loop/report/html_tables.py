"""Tables of the report: every number with its unit and, where it is not exact, its standard uncertainty."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from campaigns.campaign import Campaign
from campaigns.objective import Objective
from campaigns.values import MetricValue, TrialState
from loop.core.campaign_records import SessionRecord
from loop.core.candidate_results import CandidateResult, listing
from loop.core.formatting import (
    candidate_text,
    change_text,
    duration,
    format_uncertain,
    metric_text,
    number_text,
    one_line,
    score_text,
    since_text,
    unit_text,
)
from loop.core.journal import Amendment
from loop.core.outcome_constraints import broken_text
from loop.core.pareto import Front
from loop.core.records import TrialRecord
from loop.core.stopping import Spent
from loop.core.term_contributions import term_contributions, term_label
from loop.diagnostics.calibration import LEVELS, Estimate, Pair, coverage, rank_correlation
from loop.report.html import TableCell, facts, meter, sortable, table
from loop.report.style import state_mark
from loop.report.timeline_figure import busy

_HOUR = 3600.0
_NONE = TableCell("–")


def trials_table(
    trials: Sequence[TrialRecord], objective: Objective, units: Mapping[str, str], tops: Mapping[int, str]
) -> str:
    """Return all trials, whatever became of them.

    Args:
        trials: by number.
        objective: of the campaign, whose constraints they may break.
        units: parameter to unit.
        tops: number of a trial to why it stands out.
    """
    metrics = {name: metric.unit for t in trials for name, metric in t.metrics.items()}
    material = ["material"] if any(t.candidate.material for t in trials) else []
    heads = ["trial", "state", *material, *_headed(units), *_headed(metrics), "score [points]", "cost [USD]"]
    rows = [
        [*_trial_row(t, (list(units), list(metrics)), bool(material), tops.get(t.number, "")), _reason(t, objective)]
        for t in trials
    ]
    return sortable([*heads, "proposed by", "reason"], rows)


def front_table(front: Front, objective: Objective, units: Mapping[str, str]) -> str:
    """Return the candidates of a front, best in the first term first, with pooled metrics and points of every term."""
    labels = [term_label(term) for term in objective.terms]
    heads = ["trials", "n", "candidate", *(text for name in labels for text in (name, "points"))]
    rows = []
    for one in front.candidates:
        cells = [text for s in term_contributions(objective, one) for text in (metric_text(s.metric), _sd(s.points))]
        rows.append([one.named, str(len(one.readings)), candidate_text(one.candidate, units), *cells])
    return table(heads, rows)


def candidate_table(one: CandidateResult, units: Mapping[str, str]) -> str:
    """Return a candidate's material, parameters and pooled metrics."""
    parameters = one.candidate.parameters.items()
    rows = [("material", one.candidate.material)] if one.candidate.material else []
    rows += [(n, number_text(v) if isinstance(v, float) else str(v)) for n, v in parameters]
    shown = [(one_line(name), f"{text}{unit_text(units.get(name, ''))}") for name, text in rows]
    return facts([*shown, *((name, metric_text(metric)) for name, metric in one.metrics.items())])


def terms_table(objective: Objective, one: CandidateResult) -> str:
    """Return what each term of the objective gives to a candidate's score."""
    heads = ("term", "weight", "metric", "points", "contribution [points]")
    rows = [
        (term_label(s.term), f"{s.term.weight:g}", metric_text(s.metric), _sd(s.points), _sd(s.contribution))
        for s in term_contributions(objective, one)
    ]
    return table(heads, [*rows, ("score", "", "", "", score_text(one))])


def readings_table(one: CandidateResult) -> str:
    """Return the single readings of a candidate, suspected outliers among them."""
    heads = ["trial", *_headed({name: metric.unit for name, metric in one.metrics.items()}), "score [points]", ""]
    rows = []
    for trial in one.trials:
        cells = [
            format_uncertain(m.value, m.sd) for m in (trial.metrics.get(name) for name in one.metrics) if m is not None
        ]
        rows.append([str(trial.number), *cells, score_text(trial), state_mark(trial)])
    return table(heads, rows)


def ranking_table(found: Sequence[CandidateResult], objective: Objective, units: Mapping[str, str]) -> str:
    """Return the twenty best candidates with the contribution of each term in points, feasible ones first."""
    heads = [
        "rank",
        "trials",
        "n",
        "candidate",
        "score [points]",
        *(f"{term_label(t)} [points]" for t in objective.terms),
    ]
    rows = []
    for rank, one in enumerate(listing(found)[:20], 1):
        shares = [] if one.disputed else term_contributions(objective, one)
        parts = [_sd(share.contribution) for share in shares] or ["–"] * len(objective.terms)
        candidate, n = candidate_text(one.candidate, units), str(len(one.readings))
        rows.append([str(rank), one.named, n, candidate, score_text(one), *parts, _verdict(objective, one)])
    return table([*heads, "constraints"], rows)


def _verdict(objective: Objective, one: TrialRecord | CandidateResult) -> str:
    """Return the name of the mark of a trial or a candidate, or which constraints it breaks."""
    broken = "" if one.outlier else broken_text(objective, one)
    return f"breaks {broken}" if broken else state_mark(one)


def calibration_table(pairs: Mapping[str, Sequence[Pair]]) -> str:
    """Return how often the intervals held and how well the order was predicted, metric by metric."""
    heads = ("metric", "predictions", *(f"inside {100 * level:.0f} % interval" for level in LEVELS), "rank correlation")
    rows = []
    for name, found in pairs.items():
        shares_inside = [_percent(coverage(found, level)) for level in LEVELS]
        r = rank_correlation(found)
        rows.append([name, str(len(found)), *shares_inside, "–" if r is None else format_uncertain(r.value, r.se)])
    return table(heads, rows)


def budget_meters(campaign: Campaign, used: Spent) -> str:
    """Return what is spent of the budget."""
    budget = campaign.budget
    trials = meter("trials", f"{used.trials} of {budget.trials}", used.trials / budget.trials)
    money = f"{used.cost:,.0f} USD" + ("" if budget.cost is None else f" of {budget.cost:,.0f} USD")
    time = duration(used.wall_time) + ("" if budget.wall_time is None else f" of {duration(budget.wall_time)}")
    cost = meter("cost of steps", money, used.cost / budget.cost if budget.cost else None)
    clock = meter("time on the wall clock", time, used.wall_time / budget.wall_time if budget.wall_time else None)
    return f'<div class="meters">{trials}{cost}{clock}</div>'


def steps_table(trials: Sequence[TrialRecord], campaign: Campaign) -> str:
    """Return attempts, failures, duration and cost of each step of the workflow."""
    heads = ("step", "attempts", "failed", "lab time per attempt [h]", "cost [USD]")
    rows = []
    for name in (*(step.name for step in campaign.steps), *campaign.computations):
        records = [s for t in trials for s in t.steps if s.name == name]
        hours = [(s.ended - s.started) / _HOUR for s in records if s.started is not None and s.ended is not None]
        failed = sum(s.state in (TrialState.FAILED, TrialState.UNCERTAIN) for s in records)
        cost = f"{sum(s.cost for s in records):,.0f}"
        rows.append((name, str(len(records)), str(failed), _spread(hours), cost))
    return table(heads, rows)


def stations_table(trials: Sequence[TrialRecord], stations: Iterable[str], now: float) -> str:
    """Return how long each station has worked, by lab time."""
    heads = ("station", "at work [h]", "share of lab time")
    rows = []
    for name in stations:
        seconds = busy(trials, name, now)
        rows.append((name, f"{seconds / _HOUR:.1f}", f"{100 * seconds / now:.0f} %" if now > 0 else "–"))
    return table(heads, rows)


def amendments_table(campaign: Campaign, amendments: Iterable[Amendment]) -> str:
    """Return the journal: what was changed, since when it holds, by whom and why."""
    rows = [
        [str(a.number), change_text(campaign, a.change), since_text(a), a.author, utc(a.written), one_line(a.reason)]
        for a in amendments
    ]
    return table(("amendment", "what", "valid", "by", "written", "why"), rows)


def sessions_table(sessions: Sequence[SessionRecord]) -> str:
    """Return every start of the controller and how it ended."""
    heads = ("session", "started", "last activity", "lasted", "outcome")
    return table(
        heads,
        [
            (str(s.number), utc(s.started), utc(s.ended), duration(s.ended - s.started), one_line(s.outcome) or "none")
            for s in sessions
        ],
    )


def versions_table(sessions: Sequence[SessionRecord]) -> str:
    """Return the versions that were used, with one column for each session in which one of them changed."""
    changed = [s for before, s in zip([None, *sessions], sessions, strict=False) if not before or _differ(before, s)]
    names = dict.fromkeys(name for s in changed for name in s.versions)
    rows = [[name, *(s.versions.get(name, "–") for s in changed)] for name in names]
    return table(["distribution", *(f"from session {s.number}" for s in changed)], rows)


def utc(epoch: float) -> str:
    """Return a time in UTC, so that the report is the same on every machine."""
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _headed(units: Mapping[str, str]) -> list[str]:
    return [f"{name} [{unit}]" if unit else name for name, unit in units.items()]


def _trial_row(
    trial: TrialRecord, columns: tuple[Sequence[str], Sequence[str]], material: bool, top: str
) -> Iterator[TableCell]:
    bad = "bad" if trial.state.ended and trial.state is not TrialState.COMPLETED else "best" if top else ""
    yield TableCell(str(trial.number), trial.number)
    yield TableCell(top or state_mark(trial), style=bad)
    if material:
        yield TableCell(one_line(trial.candidate.material or "–"))
    parameters, metrics = columns
    yield from (_value(trial.candidate.parameters.get(name)) for name in parameters)
    yield from (_metric(trial.metrics.get(name)) for name in metrics)
    yield TableCell(score_text(trial), trial.score)
    yield TableCell(f"{(cost := sum(s.cost for s in trial.steps)):g}", cost)
    yield TableCell(trial.proposal.origin)


def _reason(trial: TrialRecord, objective: Objective) -> TableCell:
    """Return why a trial does not count: what is known to speak against it, and the constraints that it breaks."""
    broken = broken_text(objective, trial)
    known = [*filter(None, [trial.reason, trial.outlier, broken and f"breaks {broken}"]), *trial.flags]
    return TableCell(one_line("; ".join(known)), style="reason")


def _value(value: float | int | str | None) -> TableCell:
    match value:
        case None:
            return _NONE
        case str():
            return TableCell(one_line(value))
        case _:
            return TableCell(number_text(value), value)


def _metric(metric: MetricValue | None) -> TableCell:
    if metric is None:
        return _NONE
    return TableCell(format_uncertain(metric.value, metric.sd), metric.value if metric.finite else None)


def _sd(value: MetricValue) -> str:
    return format_uncertain(value.value, value.sd)


def _percent(estimate: Estimate | None) -> str:
    return "–" if estimate is None else f"{100 * estimate.value:.0f} ± {100 * estimate.se:.0f} %"


def _spread(hours: Sequence[float]) -> str:
    if len(hours) < 2:
        return "".join(f"{h:.3g}" for h in hours) or "–"
    return f"{statistics.mean(hours):.3g}, sd {round(statistics.stdev(hours), 6):.2g}"


def _differ(one: SessionRecord, other: SessionRecord) -> bool:
    return dict(one.versions) != dict(other.versions)
