import io
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from threading import Event as Flag

import pytest
from rich.console import Console

from campaigns.amendments import SetBounds
from campaigns.campaign import Campaign
from campaigns.load import parse_campaign
from campaigns.values import Candidate, Cause, MetricValue, TrialState
from loop.cli.signals import interrupts
from loop.core.candidate_results import CandidateResult
from loop.core.events import (
    Amended,
    BestChanged,
    Event,
    Finished,
    FrontGrew,
    Loading,
    OutlierFlagged,
    PoolReady,
    PosteriorBestChanged,
    Preparing,
    Proposed,
    RegretEstimated,
    SessionEvent,
    SourceRead,
    StandardMeasured,
    Started,
    StationsReady,
    StepEnded,
    StepStarted,
    Stopping,
    SurrogateChanged,
    TrialEnded,
    TrialEvent,
    Warned,
)
from loop.core.formatting import regret_text
from loop.core.journal import Amendment
from loop.core.pareto import Front
from loop.core.proposals import Proposal
from loop.core.records import PosteriorBest, RegretEstimate, TrialRecord
from loop.core.standard_runs import StandardRun
from loop.terminal.live import LiveDisplay, PlainDisplay, display_for
from loop.terminal.log_lines import line
from loop.terminal.progress import Progress, advance, keep_pace
from tests.stores import CAMPAIGN

PREDICTED = {"capacity": MetricValue(1.0, 0.1, "V")}
HOSTILE = "[red]spike\x1b[2J\nin [/] the data"


@pytest.fixture
def campaign() -> Campaign:
    return parse_campaign(CAMPAIGN, "small.yaml")


def trial(
    number: int, state: TrialState = TrialState.COMPLETED, score: float | None = 15.0, reason: str = ""
) -> TrialRecord:
    metrics = {"capacity": MetricValue(150.0, 2.0, "mAh/g")}
    sd, feasible = (None, None) if score is None else (0.2, True)
    candidate = Candidate({"temperature": 600.0 + number}, "LiCoO2")
    return TrialRecord(
        number, candidate, state, reason, Proposal("model"), metrics, (), score, sd, feasible, number, 0.0, 1.0, ()
    )


AMENDMENT = Amendment(
    1, 1.7e9, "ada", "the heater is weak", SetBounds(parameter="temperature", low=500, high=700), first=4
)
REGRET = RegretEstimate(1, (17.0, 0.2), ((18.0, 1, 0.02),), ((0.5, 0.1),), 0.04)


def test_a_regret_estimate_has_its_figures() -> None:
    assert regret_text(REGRET) == (
        "the best is expected to be trial 1 with score 17.00 ± 0.20; trial 1 reaches 18 with probability 0.02; "
        "one better by more than 0.5 exists with probability 0.1; expected gain 0.04"
    )


def only(one: TrialRecord) -> CandidateResult:
    """The result of a candidate that was measured once."""
    return CandidateResult(one.candidate, (one,), (one,), one.metrics, one.score, one.score_sd, one.feasible)


def events(campaign: Campaign) -> list[Event]:
    candidate = Candidate({"temperature": 601.0}, "LiCoO2")
    bad = trial(2, TrialState.QUARANTINED, None, HOSTILE)
    return [
        Loading("Ax"),
        PoolReady(512),
        Preparing("setting lattices", 100, 512),
        Started(campaign, "sqlite:///small.db", (trial(0),), 60.0),
        StationsReady({"furnace": lambda: "soaking at 601 degC"}),
        Proposed(1, candidate, Proposal("model", score=(16.0, 1.0))),
        StepStarted(1, "make", "furnace"),
        StepEnded(1, "make", "furnace", ok=True, cost=60.0),
        TrialEnded(trial(1, score=17.0)),
        BestChanged(only(trial(1, score=17.0))),
        PosteriorBestChanged(PosteriorBest(1, 16.8, (16.6, 17.1), 1.0, 3)),
        PosteriorBestChanged(PosteriorBest(1, 16.9, (16.7, 17.1), 1.0, 4)),
        Proposed(2, candidate, Proposal("space-filling")),
        StepStarted(2, "make", "furnace", attempt=2),
        StepEnded(2, "make", "furnace", ok=False, reason="the door is open", cost=30.0),
        TrialEnded(bad),
        Proposed(3, candidate, Proposal("model")),
        StepStarted(3, "make", "furnace"),
        OutlierFlagged(1, "far from what the others say"),
        OutlierFlagged(1, ""),
        SurrogateChanged(2, "capacity", "too sure of itself"),
        RegretEstimated(2, REGRET),
        FrontGrew(1, Front((only(trial(1)), only(trial(0))), ("capacity",), (10.0, 2.0), 3.5)),
        Amended(AMENDMENT, "temperature is 500 to 700 degC", (trial(0), trial(1, score=17.0), bad), campaign),
        SourceRead(HOSTILE),
        Warned(HOSTILE),
        StandardMeasured(StandardRun("cycler", 1, 3600.0, 1.7e9, 151.0, 0.5, 150.0, 2.0, "mAh/g", "out")),
        Stopping("all trials are spent"),
        Finished("all trials are spent", only(trial(1, score=17.0))),
    ]


def test_the_events_of_these_tests_are_all_there_are(campaign: Campaign) -> None:
    kinds = set((SessionEvent | TrialEvent).__args__)
    assert {type(event) for event in events(campaign)} == kinds


def test_piped_there_is_one_plain_line_per_event(campaign: Campaign) -> None:
    stream = io.StringIO()
    with display_for(campaign, stream, lambda: None) as display:
        for event in events(campaign):
            display(event)
    lines = [line[9:] for line in stream.getvalue().splitlines()]
    assert lines == [
        "loading Ax, which takes seconds",
        "pool: 512 materials",
        "setting lattices: 100 of 512 structures",
        "small: 1 of 10 trials in sqlite:///small.db",
        "stations: furnace",
        "trial 1: proposed (model): LiCoO2, temperature 601 degC; predicted score 16.0 ± 1.0",
        "trial 1: make begins at furnace",
        "trial 1: make at furnace done",
        "trial 1: completed: score 17.00 ± 0.20",
        "best so far: trial 1, score 17.00 ± 0.20",
        "best by the model: trial 1, score 16.80, 95 % interval 16.60 to 17.10",
        "trial 2: proposed (space-filling): LiCoO2, temperature 601 degC",
        "trial 2: make begins at furnace, attempt 2",
        "trial 2: make at furnace failed: the door is open",
        "trial 2: quarantined: [red]spike [2J in [/] the data",
        "trial 3: proposed (model): LiCoO2, temperature 601 degC",
        "trial 3: make begins at furnace",
        "trial 1 is a suspected outlier: far from what the others say",
        "trial 1 is no suspected outlier any more",
        "surrogate of capacity, after trial 2: too sure of itself",
        f"regret estimate after trial 2: {regret_text(REGRET)}",
        "trial 1 stands on the front: 2 candidates on the front, which dominates 3.5 points^2",
        "amendment 1 by ada: temperature is 500 to 700 degC, from trial 4 on (the heater is weak)",
        "learns from: [red]spike [2J in [/] the data",
        "warning: [red]spike [2J in [/] the data",
        "the standard of cycler is right: 151.00 ± 0.50 mAh/g; expected 150.0 ± 2.0 mAh/g",
        "stopping: all trials are spent",
        "finished: all trials are spent; best measured is trial 1, score 17.00 ± 0.20",
    ]


def test_the_reason_of_a_failure_stands_once_in_the_log(campaign: Campaign) -> None:
    stream = io.StringIO()
    with display_for(campaign, stream, lambda: None) as display:
        display(StepEnded(1, "make", "furnace", ok=False, reason="the door is open"))
        display(StepEnded(2, "make", "oven", ok=False, reason="the door is open"))
        display(StepEnded(2, "make", "furnace", ok=True))
        for number, reason in enumerate(["the lid is gone", "furnace: the door is open", "dead: the door is open"]):
            display(TrialEnded(replace(trial(number, TrialState.FAILED, None, reason), cause=Cause.LAB)))
    assert [line[9:] for line in stream.getvalue().splitlines()[3:]] == [
        "trial 0: failed (lab): the lid is gone",  # it has no line of a step in this session
        "trial 1: failed (lab)",
        "trial 2: failed (lab): dead: the door is open",  # the step went well later
    ]


def test_an_amendment_ranks_the_trials_anew_in_the_view(campaign: Campaign) -> None:
    trials = (trial(0, score=15.0), trial(1, score=17.0), trial(4, TrialState.CLAIMED, None))
    progress = advance(Progress(campaign), Started(campaign, "sqlite://", trials[:2]))
    assert progress.best is not None
    assert progress.best.number == 1
    anew = (trial(0, score=8.0), trial(1, score=2.0), trials[2])
    progress = advance(progress, Amended(AMENDMENT, "weight of capacity is 2", anew, campaign))
    assert progress.best == only(anew[0])
    assert set(progress.under_way) == {4}
    assert progress.note == "weight of capacity is 2"


def test_nobody_reading_any_more_stops_the_run_and_is_no_error(campaign: Campaign) -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    stop = Flag()
    display = PlainDisplay(campaign, Closed(), stop.set)
    for event in events(campaign):
        display(event)
    assert stop.is_set()


def test_the_live_view_shows_stations_best_trials_and_what_is_left(campaign: Campaign) -> None:
    console = Console(file=io.StringIO(), width=140, force_terminal=True, markup=False, color_system=None)
    now = [10.0]
    display = LiveDisplay(campaign, console, lambda: now[0])
    for event in events(campaign)[:-7]:
        display(event)
    now[0] = 130.0
    with console.capture() as capture:
        console.print(display.render())
    shown = capture.get()
    assert "3 of 10 trials · 3 min (12 min left) · 90 USD (810 left)" in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "furnace soaking at 601 degC" in lines
    assert "best so far trial 1, score 17.00 ± 0.20" in lines
    assert "LiCoO2, temperature 601 degC" in lines
    assert "capacity 150.0 ± 2.0 mAh/g" in lines
    assert "by the model trial 1, score 16.90, 95 % interval 16.70 to 17.10" in lines
    assert "3 make at furnace LiCoO2, temperature 601 degC" in lines
    assert "1 completed 17.00 ± 0.20 LiCoO2, temperature 601 degC" in lines
    assert any(line.startswith("2 quarantined: [red]spike [2J in [/]") for line in lines)


def test_the_live_view_shows_the_front_where_one_is_looked_for(campaign: Campaign) -> None:
    display = LiveDisplay(campaign, Console(file=io.StringIO()))
    display(FrontGrew(1, Front((only(trial(1)), only(trial(0))), ("capacity",), (10.0, 2.0), 3.5)))
    lines = [" ".join(line.split()) for line in shown(display).splitlines()]
    assert "front so far 2 candidates on the front, which dominates 3.5 points^2" in lines
    assert "trial 1 capacity 150.0 ± 2.0 mAh/g LiCoO2, temperature 601 degC" in lines


def test_where_a_front_is_looked_for_its_metrics_stand_in_place_of_a_score() -> None:
    event = Proposed(1, Candidate({"temperature": 601.0}), Proposal("model", score=(16.0, 1.0), predictions=PREDICTED))
    assert (
        line(event, {}, ("capacity",)) == "trial 1: proposed (model): temperature 601; predicted capacity 1.00 ± 0.10 V"
    )
    assert line(TrialEnded(trial(1)), {}, ("capacity",)) == "trial 1: completed: capacity 150.0 ± 2.0 mAh/g"


def test_the_live_view_draws_in_a_terminal_and_keeps_warnings(campaign: Campaign) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with display_for(campaign, stream, lambda: None) as display:
        assert isinstance(display, LiveDisplay)
        for event in events(campaign):
            display(event)
    assert "warning: [red]spike [2J in [/] the data" in stream.getvalue()
    assert "surrogate of capacity, after trial 2: too sure of itself" in stream.getvalue()


def shown(display: LiveDisplay) -> str:
    console = Console(file=io.StringIO(), width=140, color_system=None)
    with console.capture() as capture:
        console.print(display.render())
    return capture.get()


def test_embedding_shows_its_pace_and_the_time_left_once_it_takes_long(campaign: Campaign) -> None:
    now = [0.0]
    display = LiveDisplay(campaign, Console(file=io.StringIO()), lambda: now[0])
    display(Preparing("embedding", 100, 1300))
    now[0] = 1.5
    display(Preparing("embedding", 130, 1300))
    assert "130 of 1,300 structures" in shown(display)
    assert "about" not in shown(display), "it may be over at once"
    now[0] = 10.0
    display(Preparing("embedding", 300, 1300))
    assert "300 of 1,300 structures, about 50 s left" in shown(display)
    now[0] = 14.0
    assert "about 46 s left" in shown(display)
    display(Preparing("embedding", 1300, 1300))
    assert "about" not in shown(display)


def test_what_is_done_next_has_a_pace_of_its_own() -> None:
    first = keep_pace(keep_pace(None, Preparing("embedding", 10, 100), 0.0), Preparing("embedding", 20, 100), 10.0)
    assert first is not None
    assert first.left(10.0) == 80.0
    second = keep_pace(first, Preparing("embedding", 5, 40), 12.0)
    assert second is not None
    assert second.left(13.0) is None
    assert keep_pace(first, Preparing("comparing", 30, 100), 12.0) != keep_pace(
        first, Preparing("embedding", 30, 100), 12.0
    )
    third = keep_pace(second, Preparing("embedding", 10, 40), 13.0)
    assert third is not None
    assert third.left(13.0) == 6.0


def test_piped_a_large_pool_is_not_a_line_for_each_few_structures(campaign: Campaign) -> None:
    stream, now = io.StringIO(), [0.0]
    display = PlainDisplay(campaign, stream, lambda: None, lambda: now[0])
    for done in range(100, 10_001, 100):
        now[0] = done / 100
        display(Preparing("embedding", done, 10_000))
    lines = [line[9:] for line in stream.getvalue().splitlines()]
    assert len(lines) == 11
    assert lines[:2] == [
        "embedding: 100 of 10000 structures",
        "embedding: 1100 of 10000 structures, about 1 min 29 s left",
    ]
    assert lines[-1] == "embedding: 10000 of 10000 structures"


def test_a_resumed_session_counts_what_earlier_ones_spent(campaign: Campaign) -> None:
    waiting = trial(1, TrialState.QUEUED, None)
    progress = advance(Progress(campaign), Started(campaign, "sqlite://", (trial(0), waiting), 60.0))
    assert (set(progress.ended), set(progress.under_way), progress.wall_time) == ({0}, {1}, 60.0)
    assert progress.best is not None
    assert progress.best.number == 0


@pytest.fixture
def quiet_signals() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_once_stops_twice_aborts_and_a_third_acts_as_usual(quiet_signals: None) -> None:
    stop, abort = Flag(), Flag()
    before = signal.getsignal(signal.SIGINT)
    with interrupts(stop, abort):
        os.kill(os.getpid(), signal.SIGINT)
        assert (stop.is_set(), abort.is_set()) == (True, False)
        os.kill(os.getpid(), signal.SIGTERM)
        assert (stop.is_set(), abort.is_set()) == (True, True)
        assert signal.getsignal(signal.SIGINT) == before
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_handlers_are_gone_after_the_run() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with interrupts(Flag(), Flag()):
        pass
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
