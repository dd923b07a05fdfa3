"""Values in words: numbers with their uncertainty, candidates, durations; safe to print."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import assert_never

from campaigns.amendments import (
    AddLevel,
    AddTrial,
    CampaignChange,
    Change,
    CompleteTrials,
    FixParameter,
    ImportTrials,
    ReleaseParameter,
    RemoveLevel,
    SetBounds,
    SetWeights,
)
from campaigns.campaign import Campaign
from campaigns.decisions import (
    AbortTrial,
    AnswerStep,
    AttachTrial,
    DescribeSample,
    DiscardTrial,
    EnterResult,
    LoseSample,
    MoveSample,
    Order,
    ReanalyseTrial,
    ReleaseTrial,
    RepeatStandard,
    RereadTrial,
    RetryTrial,
    SampleChange,
    SetStation,
    Settlement,
    SplitSample,
    StopRun,
    WithdrawTrial,
)
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate, MetricValue, Scalar
from loop.core.candidate_results import CandidateResult
from loop.core.journal import Amendment
from loop.core.pareto import Front
from loop.core.records import PosteriorBest, RegretEstimate, TrialRecord

NOTHING_MEASURED = "no trial was completed"

_SURE = 0.995  # probability of being feasible that goes without saying, as it would be printed as 1.00
_LONG = 1e9  # from which on the digits of a number are no longer counted at a glance


def one_line(text: str) -> str:
    """Return text in one line, without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def number_text(value: float, digits: int = 4) -> str:
    """Return a number as people write it: with some significant digits, and all of them before the point.

    A power of ten stands only in what is tiny, or has more than nine digits before the point.
    """
    text = f"{value:z.{digits}g}"
    return f"{value:.0f}" if "e+" in text and abs(value) < _LONG else text


def format_uncertain(value: float | None, sd: float | None) -> str:
    """Return ``182.3 ± 4.1``: as many digits as two significant ones of the uncertainty need."""
    if value is None:
        return "–"
    if sd is None or not (math.isfinite(value) and math.isfinite(sd)) or sd <= 0:
        return number_text(value)
    digits = max(0, 1 - math.floor(math.log10(sd)))
    if digits > 6:
        return _scientific(value, sd) if abs(value) < 100.0 * sd else f"{number_text(value)} ± {sd:.1g}"
    return f"{value:z.{digits}f} ± {sd:.{digits}f}"


def _scientific(value: float, sd: float) -> str:
    """Return ``(7.4 ± 4.0)e-17``: one power of ten for both numbers."""
    power = math.floor(math.log10(sd))
    return f"({value / 10.0**power:.1f} ± {sd / 10.0**power:.1f})e{power}"


def metric_text(metric: MetricValue) -> str:
    """Return a metric with uncertainty and unit."""
    return f"{format_uncertain(metric.value, metric.sd)}{unit_text(metric.unit)}"


def unit_text(unit: str) -> str:
    """Return a unit with a space before it; nothing for a dimensionless number."""
    return "" if unit in ("1", "") else f" {unit}"


def headed(name: str, unit: str) -> str:
    """Return the head of a column for people, with the unit of its numbers in brackets where they have one."""
    return f"{name} [{unit}]" if unit_text(unit) else name


def score_text(one: TrialRecord | CandidateResult) -> str:
    """Return a trial's score with its uncertainty or a candidate's with its standard error, or a dash."""
    return format_uncertain(one.score, one.score_sd)


def best_text(found: CandidateResult | None) -> str:
    """Return which candidate is the best measured one, by its pooled score."""
    return "none is feasible" if found is None else f"best measured is {found.label}, score {score_text(found)}"


def posterior_text(found: PosteriorBest) -> str:
    """Return the best measured candidate by the models' posterior, with its 95 % interval."""
    score, low, high = interval_texts(found)
    likely = f", feasible with probability {found.feasibility:.2g}" if found.feasibility < _SURE else ""
    return f"trial {found.trial}, score {score}, 95 % interval {low} to {high}{likely}"


def interval_texts(found: PosteriorBest) -> tuple[str, str, str]:
    """Return the score and the ends of its 95 % interval, with two digits of the interval's width."""
    low, high = found.interval
    digits = min(6, max(0, 1 - math.floor(math.log10(high - low)))) if high > low else 4
    return f"{found.score:.{digits}f}", f"{low:.{digits}f}", f"{high:.{digits}f}"


def outlier_text(reason: str) -> str:
    """Return that a trial is a suspected outlier, with the reason, or one no more."""
    return f"is a suspected outlier: {reason}" if reason else "is no suspected outlier any more"


def front_text(front: Front) -> str:
    """Return how large a front is, and the volume below it."""
    if not front.candidates:
        return "none is feasible"
    count = len(front.candidates)
    volume = f"{number_text(front.volume)} points^{len(front.reference)}"
    return f"{count} candidate{'s' if count > 1 else ''} on the front, which dominates {volume}"


def regret_text(regret: RegretEstimate) -> str:
    """Return the expected regret, with its figures."""
    best = f"the best is expected to be trial {regret.incumbent} with score {format_uncertain(*regret.score)}"
    reached = [f"trial {number} reaches {score:g} with probability {p:.2g}" for score, number, p in regret.reached]
    better = [f"one better by more than {least:g} exists with probability {p:.2g}" for least, p in regret.better]
    gain = [] if regret.gain is None else [f"expected gain {regret.gain:.2g}"]
    return "; ".join([best, *reached, *better, *gain])


def metrics_text(metrics: Mapping[str, MetricValue], names: Sequence[str]) -> str:
    """Return some metrics in one line; those that are not known are left out."""
    return ", ".join(f"{name} {metric_text(metrics[name])}" for name in names if name in metrics)


def candidate_text(candidate: Candidate, units: Mapping[str, str]) -> str:
    """Return a candidate in one line; ``units`` holds the parameters' units."""
    parts = [f"{name} {_scalar(value)}{unit_text(units.get(name, ''))}" for name, value in candidate.parameters.items()]
    return one_line(", ".join([candidate.material, *parts] if candidate.material else parts))


def parameters_text(space: SpaceConfig, candidate: Candidate) -> str:
    """Return the parameters of a candidate in one line, each with its unit."""
    return candidate_text(
        Candidate(candidate.parameters), {name: one.unit for name, one in space.all_parameters.items()}
    )


def change_text(campaign: Campaign, change: Change) -> str:
    """Return what a change makes of a campaign, in one line."""
    units = {name: unit_text(parameter.unit) for name, parameter in campaign.space.all_parameters.items()}
    match change:
        case SetWeights(weights=weights):
            names = {place: campaign.objective.terms[place].metric for place in weights}
            return ", ".join(f"weight of {names[place]} is {weight:g}" for place, weight in weights.items())
        case SetBounds(parameter=name):
            verb = "grows to" if change.grown else "is"
            return f"{name} {verb} {number_text(change.low, 6)} to {number_text(change.high, 6)}{units[name]}"
        case FixParameter(parameter=name, value=value):
            return f"{name} is fixed at {_scalar(value)}{units[name]}"
        case ReleaseParameter(parameter=name):
            return f"{name} is released"
        case AddLevel() | RemoveLevel():
            return _level_text(change, units[change.parameter])
        case AddTrial():
            return f"trial of {candidate_text(change.candidate, units)}"
        case ImportTrials(table=table, rows=rows):
            return f"{counted(len(rows), 'measurement')} imported from {one_line(table)}"
        case CompleteTrials(table=table, rows=rows):
            return f"{counted(len(rows), 'trial')} completed from {one_line(table)}"
        case _:
            return _decision_text(change)


def _level_text(change: AddLevel | RemoveLevel, unit: str) -> str:
    if isinstance(change, RemoveLevel):
        return f"{change.parameter} may no longer be {_scalar(change.level)}{unit}"
    described = "".join(f", {key} {number_text(value, 6)}" for key, value in change.descriptors.items())
    return f"{change.parameter} may be {_scalar(change.level)}{unit}{described}"


def _decision_text(change: Settlement | Order | SetStation | RepeatStandard | SampleChange) -> str:
    match change:
        case MoveSample(sample=sample, position=position):
            return f"sample {sample} lies at {position}"
        case SplitSample(sample=sample, parts=parts):
            return f"sample {sample} is split into {parts}"
        case DescribeSample(sample=sample, mass=mass, barcode=barcode):
            told = [] if mass is None else [f"weighs {mass:g} mg"]
            told += [] if barcode is None else [f"has bar code {barcode}"]
            return f"sample {sample} {' and '.join(told)}"
        case LoseSample(sample=sample):
            return f"sample {sample} is lost"
        case SetStation(station=station, mode=mode):
            return f"{station} is {mode}"
        case RepeatStandard(station=station):
            return f"{station} was adjusted"
        case AbortTrial(trial=number):
            return f"the job of trial {number} is aborted"
        case StopRun(after=after):
            return f"the run ends after the current {after}s"
        case AnswerStep():
            return _answer_text(change)
        case _:
            return _settlement_text(change)


def _answer_text(change: AnswerStep) -> str:
    if change.outcome == "done":
        values = ", ".join(f"{key} {_scalar(value)}" for key, value in change.readings.items())
        return one_line(f"the manual step of trial {change.trial} is done{f': {values}' if values else ''}")
    blame = "the sample cannot be used" if change.outcome == "spoilt" else "it could not be done"
    return f"the manual step of trial {change.trial} failed: {blame}"


def _settlement_text(change: Settlement) -> str:
    match change:
        case ReleaseTrial(trial=number):
            return f"trial {number} is released"
        case WithdrawTrial(trial=number):
            return f"trial {number} is withdrawn"
        case ReanalyseTrial(trial=number):
            return f"trial {number} is analysed anew"
        case RetryTrial(trial=number):
            return f"trial {number} repeats its last step with the same sample"
        case AttachTrial(trial=number):
            return f"trial {number} takes up its job again"
        case RereadTrial(trial=number):
            return f"trial {number} has its data read again"
        case EnterResult(trial=number, measured=measured):
            return f"trial {number} is given {metrics_text(measured, list(measured)) or 'its step as done'} by hand"
        case DiscardTrial(trial=number):
            return f"trial {number} is discarded, its sample is lost"
        case _:
            assert_never(change)


def since_text(one: Amendment) -> str:
    """Return since when an amendment holds, or why it does not."""
    if one.refused:
        return f"refused: {one.refused}"
    if one.first is None:
        return "waits for a run"
    if isinstance(one.change, CampaignChange):
        return f"from trial {one.first} on"
    if isinstance(one.change, ImportTrials):
        return numbers_text(one.first, len(one.change.rows))
    return f"trial {one.first}" if isinstance(one.change, AddTrial) else "done"


def why_text(*reasons: str) -> str:
    """Return reasons in one line, without those that another one says already."""
    lines = list(dict.fromkeys(one_line(reason) for reason in reasons if reason))
    return "; ".join(one for one in lines if not any(one != other and one in other for other in lines))


def trials_text(numbers: Sequence[int]) -> str:
    """Return the numbers of some trials, at least one, such as ``trials 3 and 5``."""
    *first, last = map(str, numbers)
    return f"trials {', '.join(first)} and {last}" if first else f"trial {last}"


def state_text(trial: TrialRecord) -> str:
    """Return how a trial stands, with what a failure or a quarantine speaks of, such as ``failed (lab)``."""
    if trial.in_part:
        return "completed in part"
    return f"{trial.state}" if trial.cause is None else f"{trial.state} ({trial.cause})"


def numbers_text(first: int, count: int) -> str:
    """Return the numbers of some trials in succession, such as ``trials 0 to 39``."""
    return f"trial {first}" if count == 1 else f"trials {first} to {first + count - 1}"


def counted(count: int, noun: str) -> str:
    """Return how many there are of something, such as ``1 row`` and ``2 rows``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def outcome_text(trial: TrialRecord, broken: str = "") -> str:
    """Return how a trial stands: its score and the constraints that it breaks, if any, or why it has none."""
    if trial.score is None:
        return f"{state_text(trial)}: {trial.reason}" if trial.reason else state_text(trial)
    return f"{trial.state}: score {score_text(trial)}" + (f", breaks {broken}" if broken else "")


def duration(seconds: float) -> str:
    """Return a duration such as ``34 h 35 min``, ``2 min 3 s`` or ``10 min``; from an hour on, without seconds."""
    hours, rest = divmod(int(max(seconds, 0.0)), 3600)
    minutes, second = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else second, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def date_time(epoch: float | None) -> str:
    """Return a time as ``2026-01-31 12:00:00`` in this machine's zone, or a dash."""
    return "–" if epoch is None else f"{datetime.fromtimestamp(epoch, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def _scalar(value: Scalar) -> str:
    return number_text(value) if isinstance(value, float) else str(value)


def trial_numbers(count: int) -> str:
    """Return which trials there are, for people."""
    return f"0 to {count - 1}" if count else "none, as no trial was proposed yet"
