"""The samples of a session: which one a job has, and why one has to wait for its sample or for a place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import is_not

from campaigns.lab.laboratory import StepConfig
from campaigns.lab.sample_steps import mass_of
from loop.core.records import TrialRecord
from loop.core.samples import SampleRecord, SampleRegister, are_told_of
from loop.execution.campaign_state import CampaignState
from loop.execution.jobs.holds import Held, PossibleJob
from loop.storage.lab_files.shared_positions import occupied, shared_positions


class SampleTracker:
    """Knows the samples of a campaign, by the store and the journal.

    Args:
        state: trials, journal and campaign.
    """

    def __init__(self, state: CampaignState) -> None:
        self._state = state
        self._made_of: list[object] = []
        self._register = SampleRegister({}, (), (), ())
        rules = state.file_campaign.rules
        shared = rules is not None and bool(rules.positions) and not rules.is_simulated
        self._shared = shared_positions(state.file_campaign, state.store.campaign()) if shared else None
        self._seen: object = None

    def now(self) -> SampleRegister:
        """Return the samples as they are now; it is asked for each possible job, and made anew after a change."""
        campaign, journal, trials = self._state.campaign, self._state.journal, self._state.trials
        made_of: list[object] = [campaign, journal, *trials]  # each is another object once it has changed
        if len(made_of) != len(self._made_of) or any(map(is_not, made_of, self._made_of)):
            steps = {step.name: step for step in campaign.steps}
            self._register = SampleRegister(steps, trials, self._state.store.sample_uses(), journal)
            self._made_of = made_of
        return self._register

    def publish(self) -> None:
        """Let other campaigns on the lab file know where the samples lie."""
        if self._shared is not None:
            self._shared.publish(occupied(self.now(), self._positions))

    def claim(self, step: StepConfig, trials: Sequence[TrialRecord]) -> bool:
        """Return whether the positions that a step needs are still free for some trials, and keep them from others.

        They are this campaign's from then on, until ``publish`` says anew where its samples lie.
        """
        if self._shared is None or not step.sample.positions:
            return True
        with self._shared.alone():
            if len(self.with_room(step, list(trials))) < len(trials):
                return False
            own = occupied(self.now(), self._positions)
            coming = [self.of_job(trial, step) for trial in trials]
            needed = {name: [*own.get(name, ()), *coming] for name in step.sample.positions}
            self._shared.publish({**own, **{name: list(dict.fromkeys(ids)) for name, ids in needed.items()}})
        return True

    @property
    def is_behind(self) -> bool:
        """Whether other campaigns have moved samples since a job was held; told once."""
        behind = self._shared is not None and self._seen is not None and self._seen != self._shared.state
        self._seen = None if behind else self._seen
        return behind

    @property
    def _positions(self) -> Sequence[str]:
        rules = self._state.file_campaign.rules
        return () if rules is None else tuple(rules.positions)

    def _of_others(self, name: str) -> Sequence[str]:
        """Return the samples of other campaigns at a position, for people."""
        if self._shared is None:
            return ()
        self._seen = self._shared.state
        return self._shared.others().get(name, ())

    @property
    def _told(self) -> bool:
        """Whether steps or people say what they do with samples: else, each trial has one."""
        return are_told_of(self._state.campaign.steps, self._state.journal)

    def of_job(self, trial: TrialRecord, step: StepConfig) -> str:
        """Return the id of the sample that the next job of a trial has."""
        if not self._told:
            return str(trial.number)
        samples = self.now()
        current = samples.current(trial.number)
        remade = step.sample.makes is not None and bool(samples.of_trial(trial.number)) and current is None
        if current is not None and not remade:
            return current.id
        return samples.next_id(trial.number)

    def with_room(self, step: StepConfig, trials: list[TrialRecord]) -> list[TrialRecord]:
        """Return the first of some trials whose samples find room together at the positions that a step needs."""
        if not step.sample.positions:
            return trials
        samples = self.now()
        found: list[TrialRecord] = []
        for trial in trials:
            numbers = {one.number for one in [*found, trial]}
            others = {name: [s for s in samples.at(name) if s.trial not in numbers] for name in step.sample.positions}
            if any(self._room(name, there) < len(numbers) for name, there in others.items()):
                break
            found.append(trial)
        return found

    def _room(self, name: str, others: Sequence[SampleRecord]) -> float:
        """Return how many more samples a position takes beside others."""
        rules = self._state.campaign.rules
        capacity = None if rules is None or name not in rules.positions else rules.positions[name].capacity
        return math.inf if capacity is None else capacity - len(others) - len(self._of_others(name))

    def hold(self, job: PossibleJob) -> Held | None:
        """Return why a job may not begin as far as its sample goes, or the places that this needs; None if it may."""
        use = job.step.sample
        if job.attaches or not self._told:
            return None
        samples = self.now()
        known, current = samples.of_trial(job.trial.number), samples.current(job.trial.number)
        if known and current is None and use.makes is None:
            return _without(job, known[-1])
        for name in use.positions:
            if (held := self._full(name, samples, current)) is not None:
                return held
        return None if current is None else _too_little(job, current)

    def _full(self, name: str, samples: SampleRegister, own: SampleRecord | None) -> Held | None:
        others = [one for one in samples.at(name) if own is None or one.id != own.id]
        if self._room(name, others) >= 1:
            return None
        there = [*(one.id for one in others), *self._of_others(name)]
        shown = ", ".join(there[:3]) + (", ..." if len(there) > 3 else "")
        word = "sample" if len(there) == 1 else "samples"
        moves = tuple((f"sample move {one.id} POSITION", f"sample {one.id} was taken elsewhere") for one in others[:3])
        asks = not any(one.under_way for one in others)
        return Held(f"{name} is full: {word} {shown}", asks=asks, ways=moves, about="position")


def _without(job: PossibleJob, last: SampleRecord) -> Held:
    """Return that a trial has no sample any more."""
    number = job.trial.number
    ways = ((f"trial discard {number}", "give the trial up"),)
    return Held(f"trial {number} has no sample for {job.step.name}, as {last.id} is {last.gone}", asks=True, ways=ways)


def _too_little(job: PossibleJob, sample: SampleRecord) -> Held | None:
    wanted = mass_of(job.step.sample.consumes, job.trial.candidate.parameters)
    if wanted is None or sample.mass is None or job.step.sample.makes is not None or wanted <= sample.mass:
        return None
    text = f"{job.step.name} consumes {wanted:g} mg, and sample {sample.id} has {sample.mass:g} mg"
    return Held(text, asks=True, ways=((f"trial discard {job.trial.number}", "give the trial up"),))
