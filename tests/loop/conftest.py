from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from campaigns.campaign import Campaign
from loop.events import Event
from loop.options import Outcome, RunOptions

ROOT = Path(__file__).parents[2]


def quick(**changes: Any) -> dict[str, Any]:
    """The shipped calcination campaign as plain data, cut to ten trials without rehearsed faults or a target."""
    data: dict[str, Any] = yaml.safe_load((ROOT / "campaigns" / "calcination.yaml").read_text())
    data["budget"] = {"trials": 10}
    data["planner"] = {"initial": 5}
    data["lab"] = {"kind": "virtual"}
    data["stopping"] = []
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

    def run(self, data: dict[str, Any], on_event: Callable[[Event], None] | None = None, **options: Any) -> Outcome:
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
