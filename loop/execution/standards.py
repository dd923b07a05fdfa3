"""Measures the calibration standards of stations, before the jobs that have to wait for them; none is a trial."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict

from campaigns.calibration_standard import StandardConfig
from campaigns.campaign import Campaign
from campaigns.decisions import WithdrawTrial
from campaigns.lab_rules import LabFileConfig
from instruments.job import StepResult
from loop.core.events import StandardMeasured, Warned
from loop.core.standard_runs import StandardRun, doubt_text, in_doubt, runs_of, settled, trials_in_doubt
from loop.execution.campaign_state import CampaignState
from loop.execution.dispatcher import Dispatcher
from loop.execution.holds import Held, PossibleJob, first_hold
from loop.execution.session import Session
from loop.execution.step_runner import StepRunner
from loop.storage.artefacts import STANDARD_DATA, STANDARD_RUN

AUTHOR = "calibration standard"
"""Who has written into the journal that trials in doubt are withdrawn."""


class Standards:
    """Knows when the standard of a station is due.

    Args:
        campaign: whose lab file says of what stations there are standards.
        state: of the session; the jobs of its trials count.
        session: where the measurements are kept, and who receives the events.
        dispatcher: the stations.
        steps: those under way.
    """

    def __init__(
        self, campaign: Campaign, state: CampaignState, session: Session, dispatcher: Dispatcher, steps: StepRunner
    ) -> None:
        self._state, self._session, self._dispatcher, self._steps = state, session, dispatcher, steps
        self._configs = standards_of(campaign.rules)
        self._runs = [StandardRun(**kept) for kept in session.store.artefacts(STANDARD_RUN).values()]
        self._attempts = 0
        if self._configs:
            dispatcher.holds.append(self.hold)

    def hold(self, job: PossibleJob) -> Held | None:
        """Return why a job has to wait for the standard of its station; None if it does not."""
        if job.station not in self._configs or job.attaches:
            return None
        if (run := self._off(job.station)) is not None:
            return Held(f"its standard is off: {run.text}")
        return Held("its standard is due") if self._due(job.station) else None

    def begin_due(self, jobs: Iterable[PossibleJob]) -> bool:
        """Measure a standard for which a job waits, if its station is free; return whether one was begun."""
        for job in jobs if self._configs else ():
            others = (hold for hold in self._dispatcher.holds if hold != self.hold)
            due = job.station in self._configs and self._off(job.station) is None and self._due(job.station)
            if due and self._dispatcher.idle(job.station) and first_hold(others, job) is None and not job.attaches:
                self._begin(job.station)
                return True
        return False

    def conclude(self, result: StepResult, *, aborted: bool) -> None:
        """Keep what a standard has given, and tell whether its station is right."""
        station = self._steps.end_standard(result, aborted=aborted)
        if station is None:
            return
        config, now = self._configs[station], self._session.clock.now()
        data, units = self._dispatcher.standard_data(result.job.token)
        given, why = self._dispatcher.analyst.measured(config.step_at(station), station, (data, units), config.unit)
        value = given if given is None else given.value
        sd = 0.0 if given is None else given.sd
        number = 1 + len(runs_of(station, self._runs))
        should = (config.value, config.tolerance, config.unit, config.then)
        run = StandardRun(station, number, now, time.time(), value, sd, *should, why, config.doubtful)
        self._session.store.keep(STANDARD_DATA, run.name, {"token": result.job.token, "data": data, "units": units})
        self._session.store.keep(STANDARD_RUN, run.name, asdict(run))
        self._runs.append(run)
        self._session.on_event(StandardMeasured(run))
        if not run.good:
            doubt = in_doubt(run, self._runs, self._state.trials)
            self._session.on_event(Warned(f"{doubt_text(run, doubt)}; see 'athanor requests'"))

    def withdraw_doubtful(self) -> bool:
        """Ask the journal to withdraw the trials in doubt where the lab file wants that; return whether there are any.

        A trial is withdrawn once for each measurement, so that somebody may let it count again.
        """
        wanted = [run for run in self._runs if run.doubtful == "withdraw"]
        found = trials_in_doubt(self._state.trials, self._runs, self._state.journal) if wanted else {}
        said = {(one.change.trial, one.reason) for one in self._state.journal if isinstance(one.change, WithdrawTrial)}
        asked = {number: f"the standard of {run.station} was off: {run.text}" for number, run in found.items()}
        due = {n: why for n, why in asked.items() if found[n] in wanted and (n, why) not in said}
        for number, why in due.items():
            self._session.store.amend([WithdrawTrial(trial=number)], (AUTHOR, why), {})
        return bool(due)

    def _begin(self, station: str) -> None:
        self._attempts += 1
        store = self._session.store
        number = 1 + len(runs_of(station, self._runs))
        attempt = f"{number}-{store.sessions()[-1].number}.{self._attempts}"
        token = f"{store.campaign().created:.3f}-standard-{station}-{attempt}"
        config = self._configs[station]
        self._steps.begin_standard(station, config.step_at(station), (token, config.sample))

    def _off(self, station: str) -> StandardRun | None:
        """Return the last measurement of a standard, where it keeps the station from jobs."""
        found = runs_of(station, self._runs)[-1:]
        wrong = (run for run in found if not run.good and run.then == "out" and not settled(run, self._state.journal))
        return next(wrong, None)

    def _due(self, station: str) -> bool:
        """Return whether a standard has to be measured: first, after its interval, or again after it was off."""
        config, found = self._configs[station], runs_of(station, self._runs)
        if not found or (not found[-1].good and found[-1].then == "out"):
            return True
        since = found[-1].lab
        if config.every is not None and self._session.clock.now() - since >= config.every:
            return True
        steps = (step for trial in self._state.trials for step in trial.steps if step.station == station)
        jobs = sum(step.started is not None and step.started >= since for step in steps)
        return config.every_trials is not None and jobs >= config.every_trials


def standards_of(rules: LabFileConfig | None) -> dict[str, StandardConfig]:
    """Return station to its standard, of those that have one."""
    stations = {} if rules is None else rules.stations
    return {name: one.standard for name, one in stations.items() if one.standard is not None}
