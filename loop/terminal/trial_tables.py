"""Trials as tables, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.table import Table

from campaigns.objective import FindParetoConfig, Objective, Term
from campaigns.tables.named_columns import (
    COST,
    COUNT,
    FEASIBLE,
    FRONT,
    GENERATOR,
    MATERIAL,
    NUMBERS,
    OUTLIER,
    RANK,
    REASON,
    SCORE,
    SCORE_SD,
    STATE,
    TRIAL,
    sd_name,
)
from campaigns.values import MetricValue
from loop.core.candidate_results import CandidateResult, listing
from loop.core.formatting import candidate_text, format_uncertain, headed, one_line, score_text, state_text
from loop.core.outcome_constraints import broken_text
from loop.core.pareto import Front
from loop.core.records import TrialRecord
from loop.core.serialization import plain, positive_zero
from loop.core.term_contributions import term_contributions
from loop.terminal.console import new_table

CsvValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class ShownRanking:
    """What of a ranking is shown.

    Attributes:
        units: parameter to unit.
        objective: of the campaign, by whose terms scores are shown, and by whose constraints candidates are infeasible;
            None of a single term without constraints.
        count: how many candidates at most; None for all.
        readings: whether the single readings of a candidate stand below it.
        order: the metrics that come first, in this order.
        doubts: number of a trial to the constraint that its candidate probably breaks by the models.
    """

    units: Mapping[str, str]
    objective: Objective | None = None
    count: int | None = 10
    readings: bool = False
    order: Sequence[str] = ()
    doubts: Mapping[int, str] = field(default_factory=dict)

    @property
    def terms(self) -> Sequence[Term]:
        """The terms whose contributions are shown: none of a single one, nor where each is an axis of its own."""
        if self.objective is None or isinstance(self.objective.find, FindParetoConfig):
            return ()
        return self.objective.terms if len(self.objective.terms) > 1 else ()


def ranking_table(found: Iterable[CandidateResult], shown: ShownRanking) -> Table:
    """Return the best candidates, with pooled values and what each term gives to the score, feasible ones first."""
    best = listing(found)[: shown.count]
    metrics = _metric_units([one if one.metrics else one.readings[0] for one in best], shown.order)
    heads = [headed(n, u) for n, u in metrics.items()]
    terms = [f"score from {term.metric}" for term in shown.terms]
    table = new_table("rank", "trials", "readings", "candidate", *heads, *terms, "score", "feasible")
    for rank, one in enumerate(best, 1):
        name = candidate_text(one.candidate, shown.units)
        place = "–" if one.disputed else str(rank)
        table.add_row(place, one.named, str(len(one.readings)), name, *_merits(one, metrics, shown))
        for trial in one.trials if shown.readings and len(one.trials) > 1 else ():
            cells = _merits(trial, metrics, shown)
            table.add_row("", str(trial.number), "", f"  reading of trial {trial.number}", *cells)
    return table


def _merits(one: TrialRecord | CandidateResult, metrics: Iterable[str], shown: ShownRanking) -> list[str]:
    """Return the metrics, what each term gives to the score, the score, and whether it is feasible."""
    values = [_single(one, name) or _metric_cell(one.metrics.get(name)) for name in metrics]
    return [*values, *_contributions(one, shown), score_text(one), _feasible(one, shown)]


def _contributions(one: TrialRecord | CandidateResult, shown: ShownRanking) -> list[str]:
    if shown.objective is None or one.score is None:
        return ["–"] * len(shown.terms)
    shares = term_contributions(shown.objective, one)[: len(shown.terms)]
    return [format_uncertain(share.contribution.value, share.contribution.sd) for share in shares]


def _feasible(one: TrialRecord | CandidateResult, shown: ShownRanking) -> str:
    """Return whether a candidate may be the best, or what speaks against it."""
    if one.outlier:
        return "suspected outlier"
    if one.feasible:
        return f"yes, but the models doubt {shown.doubts[one.number]}" if one.number in shown.doubts else "yes"
    return "no" if shown.objective is None else f"no, breaks {broken_text(shown.objective, one)}"


def _single(one: TrialRecord | CandidateResult, name: str) -> str:
    """Return the readings of a metric one by one where they are not pooled, else nothing."""
    if isinstance(one, TrialRecord) or not one.disputed:
        return ""
    return ", ".join(_metric_cell(trial.metrics.get(name)) for trial in one.readings)


def ranking_csv(
    found: Iterable[CandidateResult], units: Mapping[str, str], order: Sequence[str] = (), front: Front | None = None
) -> str:
    """Return one row per candidate, best first: pooled values, each beside its standard error, units in the header.

    Where a front is looked for, its candidates come first, and a column says so.
    """
    best = listing(found)
    if front is not None:
        best.sort(key=lambda one: one.number not in front.numbers)
    metrics = _metric_units(best, order)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    values = [_column(name, unit) for n, unit in metrics.items() for name in (n, sd_name(n))]
    parameters = [_column(n, u) for n, u in units.items()]
    score_cells = [SCORE, SCORE_SD, *([] if front is None else [FRONT]), FEASIBLE, REASON]
    heads = [RANK, NUMBERS, COUNT, STATE, MATERIAL, *parameters, *values, *score_cells]
    writer.writerow(heads)
    for rank, one in enumerate(best, 1):
        row: list[CsvValue] = [rank, " ".join(map(str, one.numbers)), len(one.readings)]
        # Not completed, so that no campaign learns from it that begins with this table.
        row += [OUTLIER if one.outlier else one.state.value, one.candidate.material]
        row += [positive_zero(one.candidate.parameters.get(name)) for name in units]
        row += _metric_cells(one, metrics)
        feasible = None if one.feasible is None else str(one.feasible).lower()
        row += [one.score, _stated(one.score_sd)]
        row += [] if front is None else [str(one.number in front.numbers).lower()]
        writer.writerow([*row, feasible, _remark(one)])
    return out.getvalue()


def _remark(one: CandidateResult) -> str:
    """Return why a candidate is a suspected outlier, with the readings that are not pooled."""
    names = _metric_units(one.readings) if one.disputed else {}
    singles = [f"{headed(name, unit)} {_single(one, name)}" for name, unit in names.items()]
    return one_line("; ".join([*(["readings not pooled", *singles] if singles else []), one.outlier]))


def _stated(sd: float | None) -> float | None:
    """Return a standard uncertainty, None where nobody has stated one, which is kept as zero."""
    return sd or None


def _metric_cells(one: TrialRecord | CandidateResult, metrics: Iterable[str]) -> Iterator[CsvValue]:
    for name in metrics:
        metric = one.metrics.get(name)
        yield from (None, None) if metric is None else (positive_zero(metric.value), _stated(metric.sd))


def front_table(front: Front, units: Mapping[str, str]) -> Table:
    """Return the candidates of a front with their pooled values, best in the first term first."""
    metrics = _metric_units(front.candidates)
    table = new_table("trials", "n", "candidate", *(headed(n, u) for n, u in metrics.items()))
    for one in front.candidates:
        values = [_metric_cell(one.metrics.get(name)) for name in metrics]
        table.add_row(one.named, str(len(one.readings)), candidate_text(one.candidate, units), *values)
    return table


def trials_table(
    trials: Sequence[TrialRecord],
    units: Mapping[str, str],
    front: Front | None = None,
    objective: Objective | None = None,
) -> Table:
    """Return all trials in the order of their numbers, with the metrics of a front in place of a score.

    Args:
        trials: by number.
        units: parameter to unit.
        front: the best compromises, where such are looked for.
        objective: of the campaign, whose constraints trials break; None where none does.
    """
    metrics = _metric_units(trials)
    heads = ["score"] if front is None else ["front", *(headed(n, metrics.get(n, "")) for n in front.metrics)]
    table = new_table("trial", "state", *heads, "candidate", "reason")
    for trial in trials:
        candidate = candidate_text(trial.candidate, units)
        score_cells = [score_text(trial)] if front is None else _front_cells(trial, front)
        table.add_row(str(trial.number), _state(trial), *score_cells, candidate, _reason(trial, objective))
    return table


def _front_cells(trial: TrialRecord, front: Front) -> list[str]:
    mark = "yes" if trial.number in front.numbers else "–"
    return [mark, *(_metric_cell(trial.metrics.get(name)) for name in front.metrics)]


def _reason(trial: TrialRecord, objective: Objective | None) -> str:
    """Return why a trial does not count: how it failed, why it is an outlier, or which constraints it breaks."""
    broken = "" if objective is None else broken_text(objective, trial)
    return one_line(trial.reason or trial.outlier) or (broken and f"breaks {broken}")


def trials_csv(
    trials: Sequence[TrialRecord],
    units: Mapping[str, str],
    front: Front | None = None,
    order: Sequence[str] = (),
    objective: Objective | None = None,
) -> str:
    """Return one row per trial, each number beside its standard uncertainty, units in the header.

    Where a front is looked for, a column says who stands on it, in place of the score.
    """
    metrics = _metric_units(trials, order)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    values = [_column(name, unit) for n, unit in metrics.items() for name in (n, sd_name(n))]
    parameters = [_column(n, u) for n, u in units.items()]
    score_cells = (SCORE, SCORE_SD) if front is None else (FRONT,)
    ends = (*score_cells, FEASIBLE, _column(COST, "USD"), GENERATOR, REASON)
    writer.writerow([TRIAL, STATE, MATERIAL, *parameters, *values, *ends])
    for trial in trials:
        writer.writerow([*_csv_row(trial, list(units), list(metrics), front), _reason(trial, objective)])
    return out.getvalue()


def trials_json(trials: Sequence[TrialRecord]) -> str:
    """Return all that is known of the trials, as JSON; numbers that are not finite become null."""
    return json.dumps(plain(trials), indent=2, ensure_ascii=False)


def _csv_row(
    trial: TrialRecord, parameters: Sequence[str], metrics: Sequence[str], front: Front | None
) -> list[CsvValue]:
    """Return the cells of a trial but for the last one, the reason."""
    row: list[CsvValue] = [trial.number, trial.state.value, trial.candidate.material]
    row += [positive_zero(trial.candidate.parameters.get(name)) for name in parameters]
    row += _metric_cells(trial, metrics)
    cost = sum(step.cost for step in trial.steps)
    feasible = None if trial.feasible is None else str(trial.feasible).lower()
    on_it: list[CsvValue] = [] if front is None else [str(trial.number in front.numbers).lower()]
    return [*row, *(on_it or [trial.score, _stated(trial.score_sd)]), feasible, cost, trial.proposal.origin]


def _metric_units(trials: Iterable[TrialRecord | CandidateResult], order: Sequence[str] = ()) -> dict[str, str]:
    """Return metric to unit: those of ``order`` first, whichever measurement happened to come first."""
    found = {name: metric.unit for trial in trials for name, metric in trial.metrics.items()}
    return {name: found[name] for name in dict.fromkeys([*order, *found]) if name in found}


def _column(name: str, unit: str) -> str:
    """Return the head of a column that says what its numbers are in, whatever the reader takes for granted."""
    return f"{name} [{unit}]" if unit else name


def _metric_cell(metric: MetricValue | None) -> str:
    return "–" if metric is None else format_uncertain(metric.value, metric.sd)


def _state(trial: TrialRecord) -> str:
    """Return a trial's state, and whether it was imported from a table."""
    return f"{_fate(trial)}, imported" if trial.imported and trial.state.ended else _fate(trial)


def _fate(trial: TrialRecord) -> str:
    if trial.outlier:
        return "completed, suspected outlier"
    return "completed, breaks a constraint" if trial.feasible is False else state_text(trial)
