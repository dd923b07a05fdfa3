"""What ``athanor run`` shows while it runs: a live display in a terminal, plain lines anywhere else."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from campaigns.campaign import Campaign
from campaigns.values import TrialState
from loop.core.events import (
    Amended,
    Event,
    PosteriorBestChanged,
    Preparing,
    SourceRead,
    Started,
    StepEnded,
    Stopping,
    SurrogateChanged,
    TrialEnded,
    Warned,
)
from loop.core.formatting import (
    candidate_text,
    duration,
    front_text,
    metric_text,
    metrics_text,
    one_line,
    posterior_text,
    score_text,
    state_text,
)
from loop.core.pareto import Front, axes_of, some
from loop.core.records import TrialRecord
from loop.terminal.console import labelled
from loop.terminal.log_lines import line
from loop.terminal.progress import Pace, Progress, advance, keep_pace

_LAST = 6
_PATIENCE = 2.0
"""Seconds of preparing after which the time left is worth saying."""
_SELDOM = 10.0
"""Seconds between two lines about what is prepared: a large pool reports thousands of times."""
_COLOURS = {
    TrialState.COMPLETED: "green",
    TrialState.FAILED: "red",
    TrialState.QUARANTINED: "yellow",
    TrialState.UNCERTAIN: "magenta",
}


class Display(Protocol):
    """Something that shows events between entering and leaving it."""

    def __call__(self, event: Event) -> None:
        """Show an event."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the screen as it should stay."""


def display_for(campaign: Campaign, stream: TextIO, on_broken: Callable[[], None]) -> Display:
    """Return the live display for a terminal and plain lines for anything else.

    Args:
        campaign: what is going to run.
        stream: where to show.
        on_broken: called when nobody reads the stream any more.
    """
    if stream.isatty():
        return LiveDisplay(campaign, Console(file=stream, markup=False, emoji=False, highlight=False))
    return PlainDisplay(campaign, stream, on_broken)


class PlainDisplay:
    """One line per event, flushed at once; of what prepares the materials, in small steps, one in ten seconds."""

    def __init__(
        self,
        campaign: Campaign,
        stream: TextIO,
        on_broken: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._pace: Pace | None = None
        self._said = -math.inf
        self._by_model: int | None = -1  # the trial of the best by the model, as it was printed last
        self._stream = stream
        self._on_broken = on_broken
        self._units = {name: parameter.unit for name, parameter in campaign.space.all_parameters.items()}
        self._axes = axes_of(campaign)
        self._broken = False
        self._failures: dict[int, str] = {}  # trial to why its latest step failed

    def __call__(self, event: Event) -> None:
        """Print the event with the time of day."""
        if self._broken or self._too_soon(event) or self._known(event):
            return
        now = datetime.now().astimezone()
        try:
            text = f"{self._line(event)}{_time_left(self._pace, self._clock())}"
            print(f"{now:%H:%M:%S} {text}", file=self._stream, flush=True)
        except BrokenPipeError:
            self._broken = True
            self._on_broken()

    def _line(self, event: Event) -> str:
        """Return the line of an event, and keep why a step failed until its trial ends."""
        failure = ""
        if isinstance(event, StepEnded):
            self._failures[event.trial] = event.reason
        elif isinstance(event, TrialEnded):
            failure = self._failures.pop(event.trial.number, "")
        return line(event, self._units, self._axes, failure)

    def _too_soon(self, event: Event) -> bool:
        """Keep the pace of preparing, and return whether this event is one of too many about it."""
        now = self._clock()
        self._pace = keep_pace(self._pace, event, now)
        if not isinstance(event, Preparing):
            return False
        if event.done < event.total and now - self._said < _SELDOM:
            return True
        self._said = now
        return False

    def _known(self, event: Event) -> bool:
        """Return whether an event tells nothing but a little more of the candidate that is the best by the model."""
        if not isinstance(event, PosteriorBestChanged):
            return False
        before, self._by_model = self._by_model, None if event.found is None else event.found.trial
        return before == self._by_model

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave what was printed."""


class LiveDisplay:
    """A display that is redrawn four times a second."""

    def __init__(self, campaign: Campaign, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._pace: Pace | None = None
        self._progress = Progress(campaign, note="loading the models")
        self._live = Live(
            console=console, get_renderable=self.render, refresh_per_second=4, vertical_overflow="crop", transient=False
        )

    def __call__(self, event: Event) -> None:
        """Take in the event; warnings, stops, amendments and what becomes of the models also stay above it."""
        self._progress = advance(self._progress, event)
        self._pace = keep_pace(self._pace, event, self._clock())
        if isinstance(event, Started):
            self._begun = self._clock()  # loading the models is not on the campaign's time
        if isinstance(event, Amended | SourceRead | Warned | Stopping | SurrogateChanged):
            self._live.console.print(
                Text(line(event, self._progress.units, axes_of(self._progress.campaign)), style="yellow")
            )

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Draw a last time and leave it standing."""
        self._live.__exit__(kind, error, trace)

    def render(self) -> RenderableType:
        """Return the display as it is now."""
        progress, now = self._progress, self._clock()
        return Group(
            _header(progress, progress.wall_time + now - self._begun),
            *([] if self._pace is None else [_preparing(self._pace, now)]),
            _stations(progress),
            _best(progress),
            _trials(progress),
            Text("Ctrl-C finishes what is under way and stops; press twice to abort", style="dim"),
        )


def _header(progress: Progress, elapsed: float) -> RenderableType:
    budget, done = progress.campaign.budget, sum(t.counted for t in progress.ended.values())
    parts = [f"{done} of {budget.trials} trials", duration(elapsed) + _left(budget.wall_time, elapsed, duration)]
    parts.append(f"{progress.cost:,.0f} USD" + _left(budget.cost, progress.cost, lambda cost: f"{cost:,.0f}"))
    title = Text.assemble(
        (progress.campaign.name, "bold"), "  ", " · ".join(parts), "  ", (one_line(progress.note), "dim")
    )
    bar = Table.grid()  # a bar alone does not end its line
    bar.add_row(ProgressBar(total=budget.trials, completed=min(done, budget.trials), width=60))
    return Group(title, bar)


def _preparing(pace: Pace, now: float) -> RenderableType:
    """Return how far the materials are prepared, with a bar, and with the time left once it takes long."""
    row = Table.grid(padding=(0, 2, 0, 0))
    words = f"{pace.done:,} of {pace.total:,} structures{_time_left(pace, now)}"
    row.add_row(ProgressBar(total=pace.total, completed=pace.done, width=30), Text(words))
    return row


def _time_left(pace: Pace | None, now: float) -> str:
    left = None if pace is None or now - pace.begun < _PATIENCE else pace.left(now)
    return "" if left is None else f", about {duration(left)} left"


def _left(limit: float | None, spent: float, words: Callable[[float], str]) -> str:
    return "" if limit is None else f" ({words(max(limit - spent, 0.0))} left)"


def _stations(progress: Progress) -> RenderableType:
    return labelled((name, one_line(describe())) for name, describe in progress.describe.items())


def _best(progress: Progress) -> RenderableType:
    if progress.front is not None:
        return _front(progress, progress.front)
    trial, model = progress.best, progress.posterior
    if trial is None:
        return Text("best so far: none feasible yet", style="dim")
    by_model = "" if model is None else f"\n  by the model {posterior_text(model)}"
    metrics = ", ".join(f"{name} {metric_text(value)}" for name, value in trial.metrics.items())
    return Text.assemble(
        ("best so far  ", "bold green"),
        f"{trial.label}, score {score_text(trial)}\n",
        f"  {candidate_text(trial.candidate, progress.units)}\n  {metrics}{by_model}",
    )


def _front(progress: Progress, front: Front) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for trial in some(front.candidates, _LAST):
        metrics, candidate = metrics_text(trial.metrics, front.metrics), candidate_text(trial.candidate, progress.units)
        table.add_row(Text(f"  {trial.label}", style="green"), Text(metrics), Text(candidate, style="dim"))
    return Group(Text.assemble(("front so far  ", "bold green"), front_text(front)), table)


def _trials(progress: Progress) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", expand=True)
    table.add_column("trial", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True, max_width=40)
    axes = axes_of(progress.campaign)
    table.add_column(", ".join(axes) or "score", no_wrap=True)
    table.add_column("candidate", ratio=1, no_wrap=True, overflow="ellipsis")
    for number, opened in sorted(progress.under_way.items()):
        table.add_row(str(number), Text(one_line(opened.doing)), "", candidate_text(opened.candidate, progress.units))
    for trial in sorted(progress.ended.values(), key=lambda t: t.ended or 0.0, reverse=True)[:_LAST]:
        table.add_row(
            str(trial.number), _state(trial), _value_text(trial, axes), candidate_text(trial.candidate, progress.units)
        )
    return table


def _value_text(trial: TrialRecord, axes: Sequence[str]) -> str:
    if not axes:
        return score_text(trial)
    return ", ".join(metric_text(trial.metrics[name]) for name in axes if name in trial.metrics) or "–"


def _state(trial: TrialRecord) -> Text:
    word = (
        "suspected outlier"
        if trial.outlier
        else "breaks a constraint"
        if trial.feasible is False
        else state_text(trial)
    )
    reason = f": {one_line(trial.reason)[:40]}" if trial.score is None and trial.reason else ""
    return Text(word + reason, style=_COLOURS.get(trial.state, ""))
