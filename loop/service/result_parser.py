"""From an operator's words, such as ``3 'capacity=151.2 ± 0.8 mAh/g'``, to a result that is entered by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from campaigns.campaign import Campaign
from campaigns.decisions import EnterResult
from campaigns.errors import TableError, UnitError, suggestion
from campaigns.lab.manual_steps import SD, UncertaintyAsk
from campaigns.tables.cells import Marks, read_number
from campaigns.units import convert, convert_difference
from loop.core.records import TrialRecord
from loop.execution.decisions.settlement_rules import check_result, check_settlement
from loop.service.amendment_parser import pairs, wrong
from loop.service.journal_editor import numbers

_ALLOWED = "allowed: a number with uncertainty and unit, such as 151.2 ± 0.8 mAh/g"


def entered(words: Sequence[str], campaign: Campaign, trials: Sequence[TrialRecord]) -> EnterResult:
    """Return the result that somebody enters, in the units of the campaign.

    Args:
        words: number of the trial, and each metric with its value.
        campaign: its metrics.
        trials: by their numbers.

    Raises:
        CampaignError: there is no such trial or metric, or a value cannot be the trial's result.
    """
    chosen = numbers([word for word in words if "=" not in word])
    if len(chosen) != 1:
        raise wrong("", f"got {len(chosen)} trials; allowed: the number of one, such as 3")
    return entry(chosen[0], pairs([word for word in words if "=" in word]), campaign, trials)


def entry(number: int, given: Mapping[str, str], campaign: Campaign, trials: Sequence[TrialRecord]) -> EnterResult:
    """Return the result that somebody enters for a trial, in the units of the campaign.

    Args:
        number: of the trial.
        given: metric to its value, such as ``151.2 ± 0.8 mAh/g``, and ``METRIC_sd`` to its standard uncertainty.
        campaign: its metrics.
        trials: by their numbers.

    Raises:
        CampaignError: there is no such trial or metric, or a value cannot be the trial's result.
    """
    metric_of = {name: metric for name in given if (metric := _metric_of_sd(name, campaign)) is not None}
    metrics = {name: _read(name, text, campaign) for name, text in given.items() if name not in metric_of}
    for name, metric in metric_of.items():
        if metric not in metrics:
            raise wrong(name, f"is the uncertainty of {metric}, which is not given; needed: {metric}=VALUE")
        value, _, unit = metrics[metric]
        metrics[metric] = (value, _uncertainty(name, given[name], unit), unit)
    change = EnterResult(trial=number, metrics=metrics)
    if why := check_settlement(change, trials) or check_result(change, trials[change.trial], campaign):
        raise wrong("", why)
    return change


def _metric_of_sd(name: str, campaign: Campaign) -> str | None:
    """Return the metric whose uncertainty a name stands for; None for other names."""
    metric = name.removesuffix(SD)
    return metric if metric != name and metric in campaign.measured else None


def _uncertainty(name: str, text: str, unit: str) -> float:
    try:
        return float(UncertaintyAsk(unit=unit).read(text))
    except ValueError as error:
        raise wrong(name, str(error)) from error


def _read(name: str, text: str, campaign: Campaign) -> tuple[float, float, str]:
    """Return value, standard uncertainty and unit of a metric; the uncertainty is 0 where none is stated."""
    known = list(campaign.measured)
    if name not in known:
        raise wrong(name, f"is no measured metric{suggestion(name, known)}; allowed: {', '.join(known)}")
    unit = campaign.measured[name].unit
    try:
        found = read_number(text, Marks())
        if found is None:
            raise wrong(name, f"got {text!r}; {_ALLOWED}")
        given = found.unit or unit
        return convert(found.value, given, unit), convert_difference(found.sd or 0.0, given, unit), unit
    except TableError as error:
        raise wrong(name, f"got {text!r}, which {error}; {_ALLOWED}") from error
    except UnitError as error:
        raise wrong(name, f"{error}") from error
