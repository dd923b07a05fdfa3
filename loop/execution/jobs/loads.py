"""Loads: which trials share one job at a station that takes several samples, and when it begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from campaigns.fidelity import FULL
from campaigns.lab.laboratory import StepConfig
from campaigns.values import Scalar, TrialState
from instruments.clock import Clock
from loop.core.records import TrialRecord
from loop.execution.campaign_state import CampaignState
from loop.execution.jobs.dispatcher import Dispatcher
from loop.execution.jobs.holds import PossibleJob
from loop.execution.jobs.queue_rules import AHEAD
from loop.execution.jobs.step_runner import StepRunner

_MARGIN = 2.0
"""By which suggestions for a load are begun sooner than the last one took. Not tuned: a later fit takes longer."""


class Loads:
    """Fills the places of stations: what samples share is the same for all of a load.

    Args:
        state: the trials.
        dispatcher: the stations.
        steps: those under way.
        clock: the lab's clock.
    """

    def __init__(self, state: CampaignState, dispatcher: Dispatcher, steps: StepRunner, clock: Clock) -> None:
        self._state, self._dispatcher, self._steps, self._clock = state, dispatcher, steps, clock

    def gather(
        self, first: TrialRecord, step: StepConfig, station: str, others: Sequence[TrialRecord]
    ) -> list[TrialRecord]:
        """Return the trials whose samples a station would take now: one, or a load of as many as fit with the first.

        Args:
            first: begins the load.
            step: which all wait for.
            station: is free for the first.
            others: that wait for the step, in their order.
        """
        orders = self._dispatcher.orders
        if not orders.takes_loads(station):
            return [first]
        program = orders.program(first, step, station)
        fitting = [first, *(t for t in others if t is not first and self._fits(t, step, station, program))]
        return self._dispatcher.with_room(step, fitting[: orders.capacity(station)])

    def _fits(self, trial: TrialRecord, step: StepConfig, station: str, program: object) -> bool:
        dispatcher = self._dispatcher
        job = PossibleJob(trial, step, station)
        free = station in dispatcher.choices(step, trial) and dispatcher.own_hold(job) is None
        return free and dispatcher.orders.program(trial, step, station) == program

    def wants(self, job: PossibleJob, others: Sequence[TrialRecord], *, closing: bool) -> bool:
        """Return whether a station could be used at once that is not given yet: its load is full, or need not wait.

        Args:
            job: begins the load.
            others: that wait for the same step.
            closing: whether nothing more can be proposed now.
        """
        load = self.gather(job.trial, job.step, job.station, others)
        return bool(load) and self.may_begin(load, job.step, job.station, closing=closing)

    def may_begin(self, load: Sequence[TrialRecord], step: StepConfig, station: str, *, closing: bool) -> bool:
        """Return whether a load begins now: it is full, or nothing that fits can come, or not in time.

        Args:
            load: its trials.
            step: which they wait for.
            station: is free.
            closing: whether nothing more can be proposed now.
        """
        orders = self._dispatcher.orders
        if not orders.takes_loads(station) or len(load) >= orders.capacity(station):
            return True
        if any(s.open for trial in load for s in trial.steps if s.name == step.name):
            return True  # it was begun before
        if not closing:
            return False
        if not self._steps.busy or not self._coming(load, step, station):
            return True
        wait = self._state.campaign.stations[station].wait
        if wait is None:
            return False
        ends = self._free_since(load, station) + wait
        if self._clock.now() < ends:
            self._dispatcher.wake_at(ends)
            return False
        return True

    def _coming(self, load: Sequence[TrialRecord], step: StepConfig, station: str) -> bool:
        """Return whether another trial that has not ended will come to the step, and fits."""
        orders, numbers = self._dispatcher.orders, {trial.number for trial in load}
        program = orders.program(load[0], step, station)
        others = (t for t in self._state.open if t.number not in numbers and self._will_come(t, step))
        return any(orders.program(t, step, station) == program for t in others)

    def _will_come(self, trial: TrialRecord, step: StepConfig) -> bool:
        """Return whether a trial has a step before it, and not just this one under way."""
        if step not in self._state.campaign.workflow_of(trial.fidelity):
            return False
        begun = any(s.name == step.name and s.state is not TrialState.WITHDRAWN for s in trial.steps)
        return not begun and self._steps.awaited_step(trial) is not step

    def _free_since(self, load: Sequence[TrialRecord], station: str) -> float:
        """Return since when a station could have taken the first sample of a load, in s of lab time."""
        ends = (s.ended or 0.0 for t in self._state.trials for s in t.steps if s.station == station)
        ready = (max((s.ended or 0.0 for s in trial.done), default=0.0) for trial in load)
        return max(max(ends, default=0.0), min(ready))

    def ahead(self, *, may_begin: bool, each: float) -> int:
        """Return how many trials shall wait in the queue: one, or what fills a load that could begin now, or soon.

        While its station is at work for longer, one does: the others are proposed with what is measured until then.

        Args:
            may_begin: whether a trial that waits could begin now.
            each: how long a suggestion takes, in s of lab time.
        """
        if not may_begin or not self._state.campaign.steps:
            return AHEAD
        orders = self._dispatcher.orders
        taking = [s for s in self._state.campaign.steps[0].stations if orders.takes_loads(s)]
        soon = (s for s in taking if self._is_free_within(s, _MARGIN * each * orders.capacity(s)))
        return max([AHEAD, *map(orders.capacity, soon)])

    def _is_free_within(self, station: str, seconds: float) -> bool:
        """Return whether a station takes a load now, or within some seconds by the duration that its steps state."""
        if self._dispatcher.idle(station):
            return True
        ends = self._expected_end(station)
        if seconds <= 0.0 or ends is None or self._dispatcher.unused(station):
            return False
        if self._clock.now() < ends - seconds:
            self._dispatcher.wake_at(ends - seconds)
            return False
        return True

    def _expected_end(self, station: str) -> float | None:
        """Return when a station's job is expected to end, in s of lab time; None where nothing is said of that."""
        ends = [
            step.started + self._state.campaign.step(step.name).duration_of(trial.candidate.parameters)
            for trial in self._state.open
            for step in trial.steps
            if step.open
            and step.station == station
            and step.started is not None
            and self._state.campaign.step(step.name).duration is not None
        ]
        return max(ends, default=None)

    def fixed(self) -> dict[str, Scalar]:
        """Return the parameters of the next proposal that a load has fixed, which has places left.

        It is the last load that proposals are to fill: one more is begun when all of its places are given away.
        """
        found: dict[str, Scalar] = {}
        for step, station in self._load_steps():
            names = self._dispatcher.orders.shared_parameters(step, station)
            waiting = [t for t in self._state.open if self._is_ahead(t, step)]
            if not names or not waiting:
                continue
            program = _values(waiting[-1].candidate.parameters, names)
            if not all(self._allowed(name, value) for name, value in program.items()):
                continue  # somebody has narrowed the space since
            same = sum(_values(trial.candidate.parameters, names) == program for trial in waiting)
            if same % self._dispatcher.orders.capacity(station):
                found |= program
        return found

    def _allowed(self, name: str, value: Scalar) -> bool:
        parameters = self._state.campaign.space.parameters
        return name in parameters and parameters[name].contains(value)

    def _load_steps(self) -> Iterator[tuple[StepConfig, str]]:
        """Yield the steps whose jobs are loads, each with the first of its stations that takes such."""
        for step in self._state.campaign.steps:
            taking = (s for s in step.stations if self._dispatcher.orders.takes_loads(s))
            if (station := next(taking, None)) is not None:
                yield step, station

    def _is_ahead(self, trial: TrialRecord, step: StepConfig) -> bool:
        begun = any(s.name == step.name and s.state is not TrialState.WITHDRAWN for s in trial.steps)
        return trial.fidelity == FULL and not begun


def _values(parameters: Mapping[str, Scalar], names: Sequence[str]) -> dict[str, Scalar]:
    """Return those of some parameters that apply."""
    return {name: parameters[name] for name in names if name in parameters}
