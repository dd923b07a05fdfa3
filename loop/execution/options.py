"""What the command line asks of a run, and what a run answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event

from loop.core.candidate_results import CandidateResult
from loop.core.records import TrialRecord


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run a campaign; what to run is the campaign, which already has the current seed and lab.

    Attributes:
        store_url: where the trials are kept, such as ``sqlite:///cathode.db``.
        source_text: text of the campaign file, kept in the store.
        max_trials: most trials that this session may propose; None for no limit but the budget.
        dry_run: propose what would come next and say so by ``Proposed`` events; touch neither lab nor store.
        stop: set by the first Ctrl-C: finish what is under way, start nothing.
        abort: set by the second Ctrl-C: bring the stations to a safe state at once.
    """

    store_url: str
    source_text: str
    max_trials: int | None = None
    dry_run: bool = False
    stop: Event = field(default_factory=Event)
    abort: Event = field(default_factory=Event)


@dataclass(frozen=True, slots=True)
class SessionResult:
    """How a session ended.

    Attributes:
        reason: in a few words, such as ``all 60 trials are spent``.
        finished: whether a stopping rule or the budget ended the campaign; False when it can go on.
        interrupted: whether Ctrl-C ended the session.
        aborted: whether it was ended by force, so that trials may be uncertain.
        trials: all trials of the store, by number.
        found: the candidates, by the campaign at the end.
    """

    reason: str
    finished: bool
    interrupted: bool = False
    aborted: bool = False
    trials: tuple[TrialRecord, ...] = ()
    found: tuple[CandidateResult, ...] = ()
