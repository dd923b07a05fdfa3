from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from campaigns.campaign import Campaign
from loop.core.events import Event
from loop.execution.options import RunOptions, SessionResult

ROOT = Path(__file__).parents[2]


def quick(**changes: Any) -> dict[str, Any]:
    """The shipped calcination campaign as plain data, cut to ten trials without rehearsed faults or a target.

    Its patterns are not fitted, which would take most of the time.
    """
    data: dict[str, Any] = yaml.safe_load((ROOT / "campaigns" / "calcination.yaml").read_text())
    data["budget"] = {"trials": 10}
    data["planner"] = {"initial": 5}
    data["lab"] = {"kind": "virtual"}
    data["stopping"] = []
    data["workflow"][1]["analysis"] = "tests.loop.quick_analysis:phase_fraction"
    return data | changes


def only_step(gives: Iterable[str], parameters: Iterable[str] = (), **changes: Any) -> dict[str, Any]:
    """The step of a workflow that is never run: it takes parameters and gives metrics."""
    step = {
        "name": "make",
        "stations": ["furnace_1"],
        "recipe": {name: f"${name}" for name in parameters},
        "analysis": "campaigns.values:Candidate",
        "gives": list(gives),
        "timeout": "1 h",
    }
    return step | changes


@dataclass
class Bench:
    """Runs campaigns in a folder and keeps what happened."""

    folder: Path
    events: list[Event] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder / 'test.db'}"

    def run(
        self, data: dict[str, Any], on_event: Callable[[Event], None] | None = None, **options: Any
    ) -> SessionResult:
        from loop.run import run

        campaign = Campaign(**data)
        chosen = RunOptions(self.url, yaml.safe_dump(data), **options)

        def keep(event: Event) -> None:
            self.events.append(event)
            if on_event is not None:
                on_event(event)

        return run(campaign, chosen, keep)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def bench_of(tmp_path: Path) -> Callable[[str], Bench]:
    def make(name: str) -> Bench:
        (tmp_path / name).mkdir()
        return Bench(tmp_path / name)

    return make


def troubled(device: str, **changes: Any) -> dict[str, Any]:
    """A campaign of eight trials on one bench of ``tests.loop.troubled``."""
    number = {"kind": "float", "unit": "1", "low": 0, "high": 1}
    step = only_step(
        ["height"], ["x", "y"], stations=["bench"], analysis="tests.loop.bench_analyses:height", timeout="2 h"
    )
    return {
        "name": "troubled",
        "seed": 1,
        "space": {"parameters": {"x": number, "y": number}},
        "metrics": {"height": {"kind": "measured", "unit": "1"}},
        "objective": {"terms": [{"goal": "maximise", "metric": "height", "scale": 0.1}]},
        "planner": {"initial": 6},
        "lab": {"kind": "virtual"},
        "stations": {"bench": {"kind": "device", "device": f"tests.loop.troubled:{device}"}},
        "workflow": [step],
        "budget": {"trials": 8},
    } | changes
