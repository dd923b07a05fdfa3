"""Measures the calibration standards of stations, before the jobs that have to wait for them; none is a trial."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, replace

from campaigns.campaign import Campaign
from campaigns.decisions import RepeatStandard, SetStation, StationMode, WithdrawTrial
from campaigns.lab.calibration_standard import StandardConfig
from campaigns.lab.lab_rules import LabFileConfig
from instruments.job import StepResult
from loop.core.events import StandardMeasured, Warned
from loop.core.records import TrialRecord
from loop.core.standard_runs import StandardRun, adjusted, doubt_text, runs_of, settled, trials_in_doubt, unsettled
from loop.execution.campaign_state import CampaignState
from loop.execution.jobs.dispatcher import Dispatcher
from loop.execution.jobs.holds import Held, PossibleJob, first_hold
from loop.execution.jobs.step_runner import StepRunner
from loop.execution.session import Session
from loop.storage.artefacts import STANDARD_DATA, STANDARD_RUN
from loop.storage.lab_files.standard_ledger import StandardLedger

AUTHOR = "calibration standard"
"""Who has written into the journal that trials in doubt are withdrawn."""

_INSTANT = 1e-6
"""Lab time in s between what is known to have come one after the other; it decides about no result."""


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
        self._told: set[str] = set()  # measurements of which it was said that jobs wait for what people do
        self._measuring: dict[str, str] = {}  # token to station
        self._ledger = _ledger(campaign, session) if self._configs else None
        if self._configs:
            dispatcher.holds.append(self.hold)

    @property
    def is_behind(self) -> bool:
        """Whether other campaigns have noted something of a standard since that was read."""
        return self._ledger is not None and self._ledger.is_behind

    def settle(self, trial: TrialRecord) -> None:
        """Let other campaigns on the lab file know of the jobs of a trial, after some of which a standard is due."""
        if self._ledger is None:
            return
        for step in trial.steps:
            if step.station in self._configs and step.started is not None:
                self._ledger.add_job(step.station, step.token)

    def look(self) -> None:
        """Go by what other campaigns have measured, and what people have said there; let them know the same."""
        if self._ledger is None:
            return
        self._ledger.look()
        known = {(run.station, run.time) for run in self._runs}
        for note in self._ledger.others():
            if note.run is not None and note.station in self._configs and (note.station, note.time) not in known:
                self._take(StandardRun(**note.run))
        for station in self._configs:
            self._settle_for_all(station)

    def _take(self, run: StandardRun) -> None:
        """Go by what another campaign has measured."""
        number = 1 + len(runs_of(run.station, self._runs))
        self._keep(replace(run, number=number, lab=self._lab_time(run.time)))

    def _lab_time(self, when: float) -> float:
        """Return the lab time in s at a time in seconds since the epoch, which may lie between two sessions.

        Lab time stands still there: it is no earlier than that of all that had happened until then.
        """
        ago = (time.time() - when) / self._session.clock.wall_time(1.0)
        known = (one for trial in self._state.trials for one in self._session.store.transitions(trial.number))
        before = max((one.lab for one in known if one.wall <= when), default=float("-inf"))
        return max(self._session.clock.now() - ago, before + _INSTANT)

    def _settle_for_all(self, station: str) -> None:
        """Let what people say of a standard that is off, to one campaign, hold for all."""
        last = runs_of(station, self._runs)[-1:]
        if self._ledger is not None and last:
            self._repeat_for_all(station, last[0])
        if self._ledger is None or not last or last[0].good:
            return
        notes = (n for n in self._ledger.notes if n.settled and not n.adjusted and n.time > last[0].time)
        told = [note for note in notes if note.station == station]
        own = [
            (one, one.change.mode)
            for one in self._state.journal
            if isinstance(one.change, SetStation) and one.change.station == station and one.written > last[0].time
        ]
        if told and not own:
            by, reason = told[-1].settled
            change, trials = SetStation(station=station, mode=StationMode.IN), len(self._state.trials)
            self._session.store.amend([change], (by, reason), {}, trials)
        elif own and not told and own[-1][1] is StationMode.IN:
            self._ledger.settle(station, own[-1][0].author, own[-1][0].reason)

    def _repeat_for_all(self, station: str, last: StandardRun) -> None:
        """Let it hold for all campaigns that a station was adjusted, as somebody has said to one of them."""
        if self._ledger is None:
            return
        later = (note for note in self._ledger.notes if note.adjusted and note.time > last.time)
        told = next((note for note in later if note.station == station), None)
        changes = (one for one in self._state.journal if one.written > last.time)
        own = next((one for one in changes if one.change == RepeatStandard(station=station)), None)
        if told is not None and own is None:
            by, reason = told.settled
            self._session.store.amend([RepeatStandard(station=station)], (by, reason), {}, len(self._state.trials))
        elif own is not None and told is None:
            self._ledger.settle(station, own.author, own.reason, adjusted=True)

    def unsettled(self) -> list[StandardRun]:
        """Return the last measurement of each standard that is off, unless somebody has seen to that."""
        return unsettled(self._runs, self._state.journal)

    def hold(self, job: PossibleJob) -> Held | None:
        """Return why a job has to wait for the standard of its station; None if it does not."""
        if job.station not in self._configs or job.attaches:
            return None
        if (run := self._off(job.station)) is not None:
            return Held(f"its standard is off: {run.text}")
        return Held("its standard is due", measures=True) if self._due(job.station) else None

    def begin_due(self, jobs: Iterable[PossibleJob]) -> bool:
        """Measure a standard for which a job waits, if its station is free; return whether one was begun."""
        self.look()
        for job in jobs if self._configs else ():
            self._tell_off(job)
            others = (hold for hold in self._dispatcher.holds if hold != self.hold)
            due = job.station in self._configs and self._off(job.station) is None and self._due(job.station)
            free = self._dispatcher.idle(job.station) and self._dispatcher.is_given(job.station)
            if due and free and first_hold(others, job) is None and not job.attaches:
                self.look()  # who had the station before may have measured it
                if self._due(job.station) and self._off(job.station) is None:
                    self._begin(job.station)
                    return True
        return False

    def _tell_off(self, job: PossibleJob) -> None:
        """Say once that jobs wait as the standard of their station is off."""
        run = self._off(job.station) if job.station in self._configs else None
        if run is not None and run.name not in self._told:
            self._told.add(run.name)
            text = f"{job.step.name} waits, see 'athanor requests': the standard of {run.station} is off: {run.text}"
            self._session.on_event(Warned(text))

    def conclude(self, result: StepResult, *, aborted: bool) -> None:
        """Keep what a standard has given, and tell whether its station is right; others may have it after that."""
        try:
            self._conclude(result, aborted=aborted)
        finally:
            self._dispatcher.reserved.ends(self._measuring.pop(result.job.token))

    def _conclude(self, result: StepResult, *, aborted: bool) -> None:
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
        if self._ledger is not None:
            self._ledger.add_run(run)
        self._keep(run)

    def _keep(self, run: StandardRun) -> None:
        """Keep a measurement, and tell whether its station is right."""
        self._session.store.keep(STANDARD_RUN, run.name, asdict(run))
        self._runs.append(run)
        self._session.on_event(StandardMeasured(run))
        if not run.good:
            self._session.on_event(Warned(f"{doubt_text(run, self._runs, self._state.trials)}; see 'athanor requests'"))

    def withdraw_doubtful(self) -> bool:
        """Ask the journal to withdraw the trials in doubt where the lab file wants that; return whether there are any.

        A trial is withdrawn once for each measurement, so that somebody may let it count again.
        """
        self.look()  # others may have measured something, or said something of it
        self._state.read_journal()
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
        token = f"{store.campaign().created:.6f}-standard-{station}-{attempt}"
        self._measuring[token] = station
        config = self._configs[station]
        self._steps.begin_standard(station, config.step_at(station), (token, config.sample))

    def _off(self, station: str) -> StandardRun | None:
        """Return the last measurement of a standard, where it keeps the station from jobs."""
        found = runs_of(station, self._runs)[-1:]
        wrong = next((run for run in found if not run.good and run.then == "out"), None)
        journal = self._state.journal
        return None if wrong is None or settled(wrong, journal) or adjusted(wrong, journal) else wrong

    def _due(self, station: str) -> bool:
        """Return whether a standard has to be measured: first, after its interval, or again after it was off."""
        config, found = self._configs[station], runs_of(station, self._runs)
        if not found or (not found[-1].good and found[-1].then == "out") or adjusted(found[-1], self._state.journal):
            return True
        since = found[-1].lab
        if config.every is not None and self._session.clock.now() - since >= config.every:
            return True
        steps = (step for trial in self._state.trials for step in trial.steps if step.station == station)
        jobs = sum(step.started is not None and step.started >= since for step in steps)
        others = () if self._ledger is None else self._ledger.others()
        jobs += sum(bool(note.job) and note.station == station and note.time >= found[-1].time for note in others)
        return config.every_trials is not None and jobs >= config.every_trials


def _ledger(campaign: Campaign, session: Session) -> StandardLedger | None:
    """Return what a lab file's campaigns share of standards; None where each has a laboratory, or a time, of its own.

    What is simulated is each campaign's own, and a clock that skips waiting tells nothing of that on the wall.
    """
    if campaign.rules is None or campaign.rules.is_simulated or not session.clock.wall_time(1.0):
        return None
    record = session.store.campaign()
    return StandardLedger(campaign.rules.path, f"{record.name} {record.created!r}")


def standards_of(rules: LabFileConfig | None) -> dict[str, StandardConfig]:
    """Return station to its standard, of those that have one."""
    stations = {} if rules is None else rules.stations
    return {name: one.standard for name, one in stations.items() if one.standard is not None}
