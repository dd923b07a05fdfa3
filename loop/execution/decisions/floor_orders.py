"""Carry out what people order while a campaign runs: of its stations, of jobs under way, and of the run itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from campaigns.decisions import AbortTrial, AnswerStep, RepeatStandard, SetStation, StationMode, StopRun
from campaigns.lab.laboratory import StepConfig
from instruments.devices.manual import OUTCOMES, ManualAnswer
from instruments.safe_state import unsafe_text
from loop.core.events import Warned
from loop.core.journal import Amendment
from loop.execution.campaign_state import CampaignState
from loop.execution.decisions.pending_amendments import refuse
from loop.execution.decisions.settlement_rules import check_answer
from loop.execution.jobs.dispatcher import Dispatcher
from loop.execution.jobs.holds import Held, PossibleJob
from loop.execution.jobs.step_runner import StepRunner
from loop.execution.session import Session
from loop.execution.stop_monitor import StopMonitor
from loop.storage.artefacts import ENDING, FORGETFUL, GIVEN_UP, WAITS

_SUPPLIES = ("refill", "position")
"""What waits are about of which nobody else tells as they begin: people have to bring something, or to take it away."""


class FloorOrders:
    """Goes by the orders in the journal.

    Args:
        state: of the session, whose journal is read.
        session: where it is recorded, and who receives the events.
        dispatcher: the stations.
        steps: those under way.
        stop: ends the session.
    """

    def __init__(
        self, state: CampaignState, session: Session, dispatcher: Dispatcher, steps: StepRunner, stop: StopMonitor
    ) -> None:
        self._state, self._session, self._dispatcher, self._steps, self._stop = state, session, dispatcher, steps, stop
        self._seen = max((one.number for one in state.journal), default=0)
        self._told: set[str] = set()
        self._waits: dict[str, Held] = {}
        self._ending = ""

    def begin(self) -> None:
        """Hold the stations that people hold; what failed in an earlier session is tried again."""
        for kind in (GIVEN_UP, WAITS, FORGETFUL, ENDING):
            self._session.store.drop(kind)
        for name, instrument in self._dispatcher.instruments.items():
            if not instrument.answers_later:
                self._session.store.keep(FORGETFUL, name, {})
        self._dispatcher.held = self._state.held
        for name, held in self._dispatcher.held.items():
            self._session.on_event(Warned(f"{name} is {held.text}"))
        for name, why in self._dispatcher.missing.why.items():
            self._session.on_event(Warned(f"{name} is left out until it can be asked: {why}"))
        for name, why in self._dispatcher.safety.unsafe_stations.items():
            text = f"{unsafe_text(name, why)}, and say so: 'athanor requests' has the commands"
            self._session.on_event(Warned(text))

    def carry_out(self) -> list[Amendment]:
        """Go by what is new in the journal; return what was done, or refused."""
        self._use_arrived()
        self._hold_shared()
        return [*self._stations(), *self._orders()]

    def _use_arrived(self) -> None:
        """Use the stations that were missing, and answer now."""
        for name in self._dispatcher.arrived():
            self._session.on_event(Warned(f"{name} answers now, and is used"))
            if not self._dispatcher.instruments[name].answers_later:
                self._session.store.keep(FORGETFUL, name, {})
            self._steps.recall_late({name})

    def _hold_shared(self) -> None:
        """Hold the stations that people hold in other campaigns on the lab file, and use them again, as they say.

        What this campaign has given up, or knows not to be safe, stays so until somebody says so to this campaign.
        """
        before, self._dispatcher.held = self._dispatcher.held, self._state.held
        own = {
            one.change.station
            for one in self._state.journal
            if one.number > self._seen and isinstance(one.change, SetStation)
        }  # these are announced as amendments
        for name, held in self._dispatcher.held.items():
            if before.get(name) != held and name not in own:
                self._session.on_event(Warned(f"{name} is {held.text}"))
        for name in before.keys() - self._dispatcher.held.keys() - own:
            self._session.on_event(Warned(f"{name} is in use again, as it is in all campaigns on its lab file"))

    def tell_waits(self) -> None:
        """Say once which steps wait for people, as they hold all stations; keep for all to see what stations wait."""
        jobs: list[PossibleJob] = []
        for trial in self._state.open:
            possible = list(self._steps.possible_jobs([trial]))
            jobs += possible
            if possible and not any(map(self._dispatcher.admits, possible)):
                self._tell(possible[0].step, [job.station for job in possible])
        self._keep_waits(self._dispatcher.waits(jobs))
        self._keep_ending()

    def _keep_ending(self) -> None:
        """Let the store say that the run ends, and why; say for whose answers it still waits."""
        if (ending := self._stop.ending) == self._ending:
            return
        self._ending = ending
        if not ending:
            self._session.store.drop(ENDING)
            return
        self._session.store.keep(ENDING, "run", {"reason": ending})
        if self._stop.interrupted and (asked := self._steps.asked):
            steps = " and ".join(f"{step.name} of trial {number}" for number, step in asked)
            text = f"the run ends once people have answered {steps}, see 'athanor requests'; Ctrl-C leaves that open"
            self._session.on_event(Warned(text))

    def _keep_waits(self, waits: dict[str, Held]) -> None:
        """Let the store say why stations wait, for those who ask from another terminal."""
        self._tell_new(waits)
        for name in self._waits.keys() - waits.keys():
            self._session.store.drop(WAITS, name)
        for name, held in waits.items():
            if self._waits.get(name) != held:
                kept = {
                    "reason": held.reason,
                    "since": time.time(),
                    "asks": held.asks,
                    "ways": held.ways,
                    "about": held.about,
                }
                self._session.store.keep(WAITS, name, kept)
        self._waits = waits

    def _tell_new(self, waits: Mapping[str, Held]) -> None:
        """Say for which reasons stations begin to wait, for people or until they open, once each."""
        before = {held.reason for held in self._waits.values()}
        new: dict[str, list[str]] = {}
        for name, held in waits.items():
            supplied = held.asks and held.about in _SUPPLIES
            if (supplied or held.ends is not None) and held.reason not in before:
                for_people = " for people, see 'athanor requests'" if supplied else ""
                new.setdefault(f"{for_people}: {held.reason}", []).append(name)
        for why, names in new.items():
            self._session.on_event(Warned(f"{', '.join(names)} {'waits' if len(names) == 1 else 'wait'}{why}"))

    def _tell(self, step: StepConfig, stations: Sequence[str]) -> None:
        why = "; ".join(f"{name} is {self._dispatcher.held[name].text}" for name in stations)
        text = f"{step.name} waits for people, see 'athanor requests': {why}"
        if text not in self._told:
            self._told.add(text)
            self._session.on_event(Warned(text))

    def _stations(self) -> Iterator[Amendment]:
        """Hold stations, or use them again, as is new in the journal."""
        before, self._seen = self._seen, max((one.number for one in self._state.journal), default=0)
        for one in self._state.journal:
            if one.number > before and isinstance(one.change, RepeatStandard):
                yield one
            if one.number > before and isinstance(one.change, SetStation):
                self._dispatcher.held = self._state.held
                if one.change.mode is StationMode.IN:
                    self._dispatcher.readmit(one.change.station)
                    self._session.store.drop(GIVEN_UP, one.change.station)
                elif one.change.mode is StationMode.OUT:
                    self._dispatcher.safety.settle(one.change.station)
                yield one

    def _orders(self) -> Iterator[Amendment]:
        for one in self._state.journal:
            match one.change:
                case AbortTrial(trial=number) if one.waiting:
                    yield from self._abort(one, number)
                case StopRun(after=after) if one.waiting:
                    yield self._end(one, after)
                case AnswerStep() as answer if one.waiting:
                    yield from self._answer(one, answer)

    def _abort(self, one: Amendment, number: int) -> Iterator[Amendment]:
        """Give up the job of a trial; it is done once the trial has ended, so that a kill meanwhile changes nothing."""
        if number >= len(self._state.trials):
            yield refuse(self._state.store, one, f"there is no trial {number}")
            return
        trial = self._state[number]
        given_up = self._steps.abort(number, f"{one.author} gave it up: {one.reason}")
        if given_up or any(step.open for step in trial.steps):
            return
        if trial.steps and trial.steps[-1].state.ended and trial.state.ended:
            yield self._done(one, number)
        else:
            yield refuse(self._state.store, one, f"its job had ended before: trial {number} is {trial.state}")

    def _answer(self, one: Amendment, answer: AnswerStep) -> Iterator[Amendment]:
        """Hand a person's answer to the station that asks; it stays in the journal until that has it."""
        message = "" if answer.outcome == "done" else f"{one.author}: {one.reason}"
        said = ManualAnswer(one.number, OUTCOMES[answer.outcome], answer.readings, message)
        why = check_answer(answer, self._state.trials)
        counts = self._steps.took(answer, said) if why else self._steps.answer(answer, said)
        if counts:
            yield self._done(one, answer.trial)
        elif counts is False:
            yield refuse(self._state.store, one, why or "somebody had answered before")

    def _end(self, one: Amendment, after: str) -> Amendment:
        """End the session, unless it was an earlier one that was to end."""
        if one.written < self._state.store.sessions()[-1].started:
            return refuse(self._state.store, one, "the run that was to end has ended before")
        self._stop.end_after(after, f"{one.author} has stopped the run after the current {after}s: {one.reason}")
        return self._done(one, len(self._state.trials))

    def _done(self, one: Amendment, first: int) -> Amendment:
        self._state.store.decide_amendments({one.number: first}, {}, {})
        return replace(one, first=first)
