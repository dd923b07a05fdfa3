"""What people decide while a campaign runs: what becomes of a trial and its sample, of a station, and of the run."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from campaigns.config import Config
from campaigns.values import MetricValue


class ReleaseTrial(Config):
    """Accept a measurement that is in quarantine."""

    kind: Literal["release_trial"] = "release_trial"
    trial: int


class WithdrawTrial(Config):
    """Never run a queued trial, or exclude a trial that has ended from models and results."""

    kind: Literal["withdraw_trial"] = "withdraw_trial"
    trial: int


class ReanalyseTrial(Config):
    """Analyse the raw data of a trial again, as the analysis has been corrected."""

    kind: Literal["reanalyse_trial"] = "reanalyse_trial"
    trial: int


class RetryTrial(Config):
    """Repeat the last step of a trial, with the same sample."""

    kind: Literal["retry_trial"] = "retry_trial"
    trial: int


class AttachTrial(Config):
    """Ask the instrument again what became of the job of an uncertain trial, and wait for its end."""

    kind: Literal["attach_trial"] = "attach_trial"
    trial: int


class RereadTrial(Config):
    """Read again the data of a trial's last job, which the instrument still has."""

    kind: Literal["reread_trial"] = "reread_trial"
    trial: int


class EnterResult(Config):
    """Let the step at which a trial ended count as done, with its metrics entered by hand."""

    kind: Literal["trial_result"] = "trial_result"
    trial: int
    metrics: dict[str, tuple[float, float, str]]
    """Measured metric to value, standard uncertainty and their unit."""

    @property
    def measured(self) -> dict[str, MetricValue]:
        """What was entered."""
        return {name: MetricValue(*each) for name, each in self.metrics.items()}


class DiscardTrial(Config):
    """Give up a sample that is lost: its trial ends, and nothing is learnt from it."""

    kind: Literal["discard_trial"] = "discard_trial"
    trial: int


class AbortTrial(Config):
    """Give up the job of a trial that is under way."""

    kind: Literal["abort_trial"] = "abort_trial"
    trial: int


class AnswerStep(Config):
    """Say what became of a step that a person does."""

    kind: Literal["answer_step"] = "answer_step"
    trial: int
    token: str
    """Of the job that was asked for."""
    outcome: Literal["done", "failed", "spoilt"]
    """Spoilt: the sample is to blame, so that the models learn from it."""
    readings: dict[str, float | str] = Field(default_factory=dict)
    """What was asked for, in its unit."""


class StopRun(Config):
    """End the run that goes on, after the current steps or after the current trials."""

    kind: Literal["stop_run"] = "stop_run"
    after: Literal["step", "trial"]


class StationMode(StrEnum):
    """How a station is used."""

    IN = "in use"
    PAUSED = "paused"
    """No new job begins; what is under way goes on, and is taken up again after a restart."""
    DRAINED = "drained"
    """The same, and what waits for it goes elsewhere."""
    OUT = "out"
    """It is not used at all."""


class SetStation(Config):
    """Hold a station, or take it into use again."""

    kind: Literal["station"] = "station"
    station: str
    mode: StationMode


class RepeatStandard(Config):
    """Say that a station was adjusted: its calibration standard is measured again before its next job."""

    kind: Literal["repeat_standard"] = "repeat_standard"
    station: str


class MoveSample(Config):
    """Say that a sample lies at another position now."""

    kind: Literal["move_sample"] = "move_sample"
    sample: str
    position: str


class SplitSample(Config):
    """Say that a sample was divided into equal parts."""

    kind: Literal["split_sample"] = "split_sample"
    sample: str
    parts: int


class LoseSample(Config):
    """Say that a sample is lost."""

    kind: Literal["lose_sample"] = "lose_sample"
    sample: str


class DescribeSample(Config):
    """Say what a sample weighs, in mg, or which bar code it has; None leaves what is known."""

    kind: Literal["describe_sample"] = "describe_sample"
    sample: str
    mass: float | None = None
    barcode: str | None = None


SampleChange = MoveSample | SplitSample | LoseSample | DescribeSample
"""What people have done with a sample."""

Reopening = RetryTrial | AttachTrial | RereadTrial
"""What lets a trial that has ended go on with its last step."""

Settlement = ReleaseTrial | WithdrawTrial | ReanalyseTrial | Reopening | EnterResult | DiscardTrial
"""What settles a trial."""

Order = AbortTrial | StopRun | AnswerStep
"""What a run that goes on is told to do."""
