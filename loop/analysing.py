"""From the raw data of a step, as they are stored, to metrics, or to what speaks against them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from campaigns.campaign import Campaign
from campaigns.lab import StepConfig
from campaigns.units import convert
from campaigns.values import Cause, Measurement, MetricValue
from instruments.analyses.context import AnalysisContext
from instruments.gate import Judged, judge
from instruments.instrument import readings
from loop.assemble import load_analysis
from loop.reader import Reader
from loop.records import Analysed, StepRecord, TrialRecord, told
from surrogates.pools.pool import Pool


class Analyst:
    """Applies the analyses of a campaign to the raw data in its store.

    Args:
        campaign: workflow and metrics.
        store: holds the raw data.
        pool: the materials, for analyses that need a structure.

    Raises:
        CampaignError: an analysis cannot be loaded.
    """

    def __init__(self, campaign: Campaign, store: Reader, pool: Pool | None) -> None:
        self._campaign, self._store, self._pool = campaign, store, pool
        self._analyses = {step.name: load_analysis(step) for step in campaign.steps}

    def analyse(self, trial: TrialRecord, step: StepConfig, record: StepRecord, *, trusting: bool = False) -> Analysed:
        """Return what the event of a step comes to; ``trusting``, whatever the analysis says against it."""
        analysis = self._analyses[step.name]
        if analysis is None:
            return Analysed()
        data = readings(record.station, self._store.event_data(record.token))
        units = {name: self._campaign.metrics[name].unit for name in step.gives}
        try:
            found: Measurement = analysis(data, AnalysisContext(trial.candidate.material, self.structure(trial)))
            judged = judge(replace(found, flags=()) if trusting else found, units)
        except Exception as error:  # noqa: BLE001 - an analysis may raise anything; it costs this trial only
            return Analysed(flags=(f"analysis failed: {type(error).__name__}: {error}",), cause=Cause.ANALYSIS)
        return _analysed(trial, found, judged, units)

    def structure(self, trial: TrialRecord) -> Any:
        """Return the structure of a trial's material, or None without a pool."""
        material = trial.candidate.material
        return self._pool[material].structure if self._pool is not None and material is not None else None


def _analysed(trial: TrialRecord, found: Measurement, judged: Judged, units: Mapping[str, str]) -> Analysed:
    """Return what is known after the quality gate, in the campaign's units."""
    if judged.flags:
        return Analysed(flags=judged.flags, cause=Cause.DATA)
    good = [name for name in units if name not in judged.held and name not in judged.missing]
    return Analysed(
        {told(trial, name): in_unit(found.metrics[name], units[name]) for name in good},
        tuple(judged.held.values()),
        Cause.DATA if judged.held else None,
        {told(trial, name): given for name, given in judged.missing.items()},
    )


def in_unit(metric: MetricValue, unit: str) -> MetricValue:
    """Return a metric value in another unit of its kind."""
    value = convert(metric.value, metric.unit, unit)
    return MetricValue(value, abs(convert(metric.value + metric.sd, metric.unit, unit) - value), unit)
