"""From the raw data of a step, as they are stored, to metrics, or to what speaks against them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, LimitError, Problem, SampleError, UnitError, suggestion
from campaigns.fidelity import all_steps
from campaigns.lab.laboratory import StepConfig
from campaigns.units import convert, convert_difference
from campaigns.user_code.module_files import OURS
from campaigns.values import Cause, Measurement, MetricValue, TrialState
from instruments.analyses.context import AnalysisContext
from instruments.job_instrument import JobInstrument, readings
from instruments.quality_gate import GateResult, check_quality
from instruments.signal_units import in_expected_units, passed_on
from instruments.staleness import SampleReading, stale
from instruments.unusable import dead, not_finite
from loop.core.records import Analysed, Document, StepRecord, TrialRecord, TrialResult
from loop.core.trial_scoring import ending_of_step
from loop.execution.jobs.analysis_child import AnalysisTask, FailedAnalysisError, analysed, failure_of
from loop.execution.jobs.analysis_process import PROCESS, AbandonedError
from loop.execution.laboratory.lab_setup import load_analysis
from loop.storage.reader import Reader
from surrogates.pools.pool import Pool

_FIRST = 4
"""Samples by which it is seen what a station's signals are by nature. Not tuned: a constant is taken for one only
where other signals changed meanwhile, so that few samples do."""


class Analyst:
    """Applies the analyses of a campaign to the raw data in its store.

    Args:
        campaign: workflow and metrics.
        store: holds the raw data.
        pool: the materials, for analyses that need a structure.

    Attributes:
        abandoned: asked while an analysis is at work, whether nobody waits for it any more.

    Raises:
        CampaignError: an analysis cannot be loaded.
    """

    def __init__(self, campaign: Campaign, store: Reader, pool: Pool | None) -> None:
        self._campaign, self._store, self._pool = campaign, store, pool
        self.abandoned: Callable[[], bool] = lambda: False
        self._analyses = {step.name: load_analysis(step) for step in campaign.steps}

    def analyse(self, trial: TrialRecord, step: StepConfig, record: StepRecord, *, trusting: bool = False) -> Analysed:
        """Return what the event of a step comes to; ``trusting``, whatever the analysis says against it."""
        analysis = self._analyses[step.name]
        if analysis is None:
            return Analysed()
        if not trusting and (flags := self._stale(trial, step, record)):
            return Analysed(flags=flags, cause=Cause.DATA)
        data = readings(record.station, self._store.event_data(record.token))
        stated = readings(record.station, self._store.event_units(record.token))
        units = {name: self._campaign.metrics[name].unit for name in step.gives}
        try:
            data, stated = in_expected_units(analysis, data, stated)
            context = AnalysisContext(trial.candidate.material, self.structure(trial), stated)
            found = self._run(step, data, context)
            if not isinstance(found, Measurement):
                return _no_measurement(step, found)
            if trusting:
                gate = check_quality(replace(found, flags=()), units)
            else:
                measured = self._campaign.measured
                gate = check_quality(found, units, {name: measured[name].implausible for name in step.gives})
            relabelled = () if trusting else passed_on(found, data, stated)
        except SampleError as error:
            return Analysed(missing={trial.metric_key(name): f"no value: {error}" for name in units})
        except AbandonedError:
            raise
        except Exception as error:  # noqa: BLE001 - a user's unit, or what pretends to be a measurement, may raise anything
            return self._judged(step, record, failed(f"analysis of {step.name}", error))
        if why := "; ".join((*gate.wrong, *relabelled)) or _misnamed(found, units):
            return Analysed(flags=(f"analysis failed: {why}",), cause=Cause.ANALYSIS, fault=f"{step.name}: {why}")
        analysed = _analysed(trial, found, gate, units)
        return analysed if trusting or not analysed.missing else self._judged(step, record, analysed)

    def _run(self, step: StepConfig, data: dict[str, Any], context: AnalysisContext) -> object:
        """Return what a step's analysis returns; one of a user's own runs in a process of its own.

        Raises:
            SampleError: the analysis raises it.
            FailedAnalysisError: it raises another error, takes too long, or crashes.
            AbandonedError: nobody waits any more.
        """
        task = AnalysisTask(step.analysis or "", step.analysis_settings, data, context)
        if task.path.partition(".")[0] not in OURS:
            return PROCESS.run(task, step.analysis_timeout, self.abandoned)
        if isinstance(found := analysed(task), SampleError | FailedAnalysisError):
            raise found
        return found

    def measured(
        self, step: StepConfig, station: str, read: tuple[Mapping[str, Any], Mapping[str, str]], unit: str
    ) -> tuple[MetricValue | None, str]:
        """Return what a station gave for its standard, and why it gave nothing, where it did.

        Args:
            step: measures it, and gives one metric.
            station: that measured it.
            read: what was read, and the units that the instrument states, by signal.
            unit: in which it is given.
        """
        (name,) = step.gives
        try:
            data, units = (readings(station, one) for one in read)
            given, stated = in_expected_units(load_analysis(step), data, units)
            found = self._run(step, given, AnalysisContext(units=stated))
            if not isinstance(found, Measurement):
                return None, _no_measurement(step, found).flags[0]
            return in_unit(found.metrics[name], unit), ""
        except AbandonedError:
            raise
        except Exception as error:  # noqa: BLE001 - a user's analysis may raise anything
            return None, "; ".join(failed(f"analysis of the standard of {station}", error).flags)

    def step(self, name: str) -> StepConfig:
        """Return the step of a name."""
        return self._campaign.step(name)

    def reanalyse(self, trial: TrialRecord) -> tuple[dict[str, MetricValue], TrialResult | None, str]:
        """Return the metrics that all raw data of a trial come to now, and what speaks against it.

        The result is None where nothing does; the text, empty else, tells that an analysis still raises an error. What
        was entered by hand stays.
        """
        metrics = self._by_hand(trial)
        for record in trial.acquired:
            analysed = self.analyse(trial, self._campaign.step(record.name), record)
            if analysed.cause is Cause.ANALYSIS:
                return {}, None, "; ".join(analysed.flags)
            metrics |= analysed.metrics
            if ending := ending_of_step(self._campaign, trial, record.name, analysed):
                return metrics, ending, ""
        return metrics, None, ""

    def _by_hand(self, trial: TrialRecord) -> dict[str, MetricValue]:
        """Return the metrics of a trial that were entered by hand."""
        steps = [self._campaign.step(record.name) for record in trial.done if record.state is TrialState.COMPLETED]
        names = [trial.metric_key(name) for step in steps for name in step.gives]
        return {name: trial.metrics[name] for name in names if name in trial.metrics}

    def check_units(self, instruments: Mapping[str, JobInstrument]) -> None:
        """Check that signals state the units that drivers and analyses were written for, or such as can be converted.

        Raises:
            CampaignError: they do not; every problem at once.
        """
        problems = []
        for where, step in all_steps(self._campaign.workflow, self._campaign.fidelities):
            for station in [name for name in step.stations if name in instruments]:
                try:
                    stated = instruments[station].check_units()
                    in_expected_units(self._analyses[step.name], dict.fromkeys(stated, 0.0), stated)
                except (LimitError, UnitError) as error:
                    problems.append(Problem(f"{where}.stations", f"{station}: {error}"))
        if problems:
            raise CampaignError(list(dict.fromkeys(problems)), self._campaign.name)

    def _stale(self, trial: TrialRecord, step: StepConfig, record: StepRecord) -> tuple[str, ...]:
        """Return why the raw data of a step are no news, by what the store has of its station; empty if they are."""
        last, first = self._store.events_before(record.token, record.station, _FIRST)
        event = self._store.event(record.token)
        if last is None or event is None:
            return ()
        candidates = {trial.number: trial.candidate.key()}

        def reading(document: Document) -> SampleReading:
            if document.trial not in candidates:
                candidates[document.trial] = self._store.trial(document.trial).candidate.key()
            body = document.body
            since = self._store.dispatched(document.trial, document.step, float(body.get("time", math.inf)))
            times = readings(record.station, body.get("timestamps", {}))
            return SampleReading(self._values(step, record, document), times, since, candidates[document.trial])

        return stale(reading(event), reading(last), [reading(one) for one in first])

    def _judged(self, step: StepConfig, record: StepRecord, analysed: Analysed) -> Analysed:
        """Return what raw data that give no number come to; unusable ones speak of neither sample nor analysis."""
        event = self._store.event(record.token)
        if event is None:
            return analysed
        now, good = self._values(step, record, event), self._good(step, record)
        flags = list(not_finite(now, good))
        if not analysed.metrics:  # else an array of zeros may be what the sample gives
            flags += dead(now, good)
        return Analysed(flags=tuple(flags), cause=Cause.DATA) if flags else analysed

    def _good(self, step: StepConfig, record: StepRecord) -> list[dict[str, Any]]:
        """Return what a station gave for its first samples, and the last one, of those from which numbers came."""
        last, first = self._store.events_before(record.token, record.station, _FIRST)
        known = [(event, self._store.trial(event.trial)) for event in (*first, last) if event is not None]
        return [
            self._values(step, record, event)
            for event, trial in known
            if any(trial.metric_key(name) in trial.metrics for name in step.gives)
        ]

    def _values(self, step: StepConfig, record: StepRecord, event: Document) -> dict[str, Any]:
        """Return what an event has of a station, but for what the recipe sets."""
        values = readings(record.station, event.body.get("data", {}))
        return {name: value for name, value in values.items() if name not in step.recipe}

    def structure(self, trial: TrialRecord) -> Any:
        """Return the structure of a trial's material, or None without a pool."""
        material = trial.candidate.material
        return self._pool[material].structure if self._pool is not None and material is not None else None


def _no_measurement(step: StepConfig, returned: object) -> Analysed:
    """Return what comes of an analysis that returned something of another type than a measurement."""
    got = "nothing" if returned == "NoneType" else f"a {returned}"
    why = f"it returned {got}; needed: a campaigns.values:Measurement"
    return Analysed(flags=(f"analysis failed: {why}",), cause=Cause.ANALYSIS, fault=f"{step.name}: {why}")


def failed(what: str, error: BaseException) -> Analysed:
    """Return what comes of somebody's program that raises an error, with the line of theirs in which it came."""
    told = error if isinstance(error, FailedAnalysisError) else failure_of(error)
    flag = f"{what.split()[0]} failed: {told.said}"
    return Analysed(flags=(flag,), cause=Cause.ANALYSIS, fault=f"{what}: {told.fault}")


def _misnamed(found: Measurement, units: Mapping[str, str]) -> str:
    """Return that an analysis gives a metric under a name that is nearly one of those expected; empty if none is so."""
    others = [name for name in found.metrics if name not in units]
    near = {name: suggestion(name, others) for name in units if name not in found.metrics}
    return "; ".join(f"it gives no {name}{like}; correct the name" for name, like in near.items() if like)


def _analysed(trial: TrialRecord, found: Measurement, gate: GateResult, units: Mapping[str, str]) -> Analysed:
    """Return what is known after the quality gate, in the campaign's units."""
    if gate.flags:
        return Analysed(flags=gate.flags, cause=Cause.DATA)
    good = [name for name in units if name not in gate.held and name not in gate.missing]
    return Analysed(
        {trial.metric_key(name): in_unit(found.metrics[name], units[name]) for name in good},
        tuple(gate.held.values()),
        Cause.DATA if gate.held else None,
        {trial.metric_key(name): given for name, given in gate.missing.items()},
    )


def in_unit(metric: MetricValue, unit: str) -> MetricValue:
    """Return a metric value in another unit of its kind."""
    return MetricValue(convert(metric.value, metric.unit, unit), convert_difference(metric.sd, metric.unit, unit), unit)
