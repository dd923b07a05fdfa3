"""A campaign that is amended while it runs: by an operator at a fixed moment, and by itself."""

from __future__ import annotations

import os
import signal
from typing import Any

from loop.core.events import Event, Proposed
from loop.execution.options import SessionResult
from loop.service.amendment_parser import pairs
from loop.service.journal_editor import add_trial, amend, open_journal_editor
from loop.terminal.log_lines import line
from tests.loop.conftest import Bench, quick

WHEN = 4
"""Number of the trial at whose proposal the operator writes."""


def growing() -> dict[str, Any]:
    """Return a campaign whose furnace could be much hotter than it may be at first."""
    data = quick(budget={"trials": 16}, planner={"initial": 4})
    data["space"]["parameters"]["temperature"] |= {"high": "973 K", "highest": "1223 K"}
    del data["stations"]["furnace_2"]  # with fewer trials under way, proposals know more
    data["workflow"][0]["stations"] = ["furnace_1"]
    return data


def write(url: str) -> None:
    """Do what an operator does."""
    editor = open_journal_editor(None, url, "voltage is settled")
    amend(editor, editor.parser.weights(pairs(["capacity=1", "phase_fraction=3"])))
    editor = open_journal_editor(None, url, "argon is used up")
    amend(editor, editor.parser.fixed(pairs(["atmosphere=oxygen"])))
    asked = ["temperature=698", "time=1.5 day", "ramp_rate=5", "lithium_excess=4"]
    add_trial(open_journal_editor(None, url, "as in the paper"), pairs(asked))


def run(bench: Bench, moment: str = "") -> SessionResult:
    """Run the campaign, with the operator at work; die at a moment if one is given."""

    def on_event(event: Event) -> None:
        if isinstance(event, Proposed) and event.trial == WHEN:
            write(bench.url)
        if moment and moment in line(event, {}):
            os.kill(os.getpid(), signal.SIGKILL)

    return bench.run(growing(), on_event)
