"""What happens during a run, one frozen type per kind of event; the manager emits them and displays show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from campaigns.campaign import Campaign
from campaigns.values import Candidate
from loop.core.candidate_results import CandidateResult
from loop.core.journal import Amendment
from loop.core.pareto import Front
from loop.core.proposals import Proposal
from loop.core.records import PosteriorBest, RegretEstimate, TrialRecord
from loop.core.standard_runs import StandardRun


@dataclass(frozen=True, slots=True)
class Started:
    """A session has begun.

    Attributes:
        store: URL of the store, without a password.
        trials: what the store already holds; empty for a new campaign.
        wall_time: seconds spent so far, over all sessions.
    """

    campaign: Campaign
    store: str
    trials: tuple[TrialRecord, ...] = ()
    wall_time: float = 0.0


@dataclass(frozen=True, slots=True)
class PoolReady:
    """The candidate materials are known."""

    size: int


@dataclass(frozen=True, slots=True)
class Loading:
    """The engines are loaded, which takes seconds.

    Attributes:
        what: their names.
    """

    what: str


@dataclass(frozen=True, slots=True)
class Preparing:
    """Of what is done to the materials before the first proposal, ``done`` of ``total`` structures are done.

    Attributes:
        doing: what is done, such as ``setting lattices``.
    """

    doing: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class StationsReady:
    """The lab stands.

    Attributes:
        describe: station to a function that says in a few words what it does now; called from the display's thread.
    """

    describe: Mapping[str, Callable[[], str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proposed:
    """A trial was proposed and is stored.

    Attributes:
        doubtful: the outcome constraints that it probably breaks; empty if none.
    """

    trial: int
    candidate: Candidate
    proposal: Proposal
    doubtful: str = ""


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A station has taken a step of a trial.

    Attributes:
        taken_up: whether an earlier session had begun it, so that its station is only asked what became of it.
    """

    trial: int
    step: str
    station: str
    attempt: int = 1
    taken_up: bool = False


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step is over.

    Attributes:
        ok: whether it counts.
        reason: why it does not; empty when it does.
        cost: what it cost, in USD.
    """

    trial: int
    step: str
    station: str
    ok: bool
    reason: str = ""
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """A trial has ended.

    Attributes:
        broken: the outcome constraints that it breaks; empty if none.
    """

    trial: TrialRecord
    broken: str = ""


@dataclass(frozen=True, slots=True)
class BestChanged:
    """Another candidate is the best measured one so far, or the same one with another pooled score; None if none is."""

    best: CandidateResult | None


@dataclass(frozen=True, slots=True)
class PosteriorBestChanged:
    """What is known of the best measured candidate by the models' posterior; None where none is likely feasible."""

    found: PosteriorBest | None


@dataclass(frozen=True, slots=True)
class FrontGrew:
    """A trial stands on the front."""

    trial: int
    front: Front


@dataclass(frozen=True, slots=True)
class OutlierFlagged:
    """A trial is a suspected outlier, or one no more.

    Attributes:
        reason: why it is not; empty when it is.
    """

    trial: int
    reason: str


@dataclass(frozen=True, slots=True)
class RegretEstimated:
    """The regret that is expected after a trial was completed."""

    trial: int
    regret: RegretEstimate


@dataclass(frozen=True, slots=True)
class SurrogateChanged:
    """A metric's model is trusted less, or more, than before.

    Attributes:
        trial: number of the trial whose measurement caused it.
        text: what changed, and why.
    """

    trial: int
    metric: str
    text: str


@dataclass(frozen=True, slots=True)
class Amended:
    """The campaign is another from now on, or what would have changed it was refused.

    Attributes:
        amendment: what was taken over, or refused.
        text: what it changes.
        trials: all trials, with their scores by the current campaign.
        campaign: its current version now.
    """

    amendment: Amendment
    text: str
    trials: tuple[TrialRecord, ...]
    campaign: Campaign


@dataclass(frozen=True, slots=True)
class Stopping:
    """Nothing new is started; what is under way is finished."""

    reason: str


@dataclass(frozen=True, slots=True)
class SourceRead:
    """Earlier measurements were read: which, how many rows of them are used, and why others are not.

    Attributes:
        role: what they are read for: the models, or the campaign's own history.
    """

    text: str
    role: str = "learns from"


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that the user should know, and that stops nothing."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The session is over, with the best measured candidate.

    Attributes:
        front: what was found where a front was looked for.
        measured: whether any trial was completed.
    """

    reason: str
    best: CandidateResult | None = None
    front: Front | None = None
    measured: bool = True


Found = BestChanged | PosteriorBestChanged | FrontGrew
"""What a trial has changed about the best."""


@dataclass(frozen=True, slots=True)
class StandardMeasured:
    """A station has measured its calibration standard."""

    run: StandardRun

    @property
    def text(self) -> str:
        """What people are told of it."""
        return f"the standard of {self.run.station} is {'right' if self.run.good else 'off'}: {self.run.text}"


TrialEvent = Proposed | StepStarted | StepEnded | TrialEnded | OutlierFlagged | RegretEstimated | Found
"""What happens to one trial."""

SessionEvent = (
    Started
    | Loading
    | PoolReady
    | Preparing
    | SourceRead
    | StationsReady
    | SurrogateChanged
    | Amended
    | StandardMeasured
    | Stopping
    | Warned
    | Finished
)
"""What happens to the session."""

Event = SessionEvent | TrialEvent
