"""Stations that do not answer at the start are looked for again; nothing moves there, and the others go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from ophyd import Component

from campaigns.campaign import Campaign
from campaigns.errors import NoAnswerError
from campaigns.values import TrialState
from instruments.job_instrument import JobInstrument, Quantity
from loop.core.events import Event, StepStarted, Warned
from loop.execution.laboratory import missing_stations
from loop.execution.options import RunOptions, SessionResult
from loop.execution.session import CampaignResources
from loop.planning.planner import Planner
from loop.planning.pool_data import build_encoder
from loop.run import conduct

pytestmark = pytest.mark.slow


class Scale(JobInstrument):
    """A balance that is done at once, and may be switched off, or not know its limits yet."""

    off: ClassVar[set[str]] = set()
    blank: ClassVar[set[str]] = set()
    settings = ("load",)
    load = Component(Quantity, value=0.0, unit="g", limits=(0, 10))

    def __init__(self, prefix: str = "", *, name: str, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self.jobs: set[str] = set()
        if name in self.off:
            raise TimeoutError("nobody there")

    @property
    def limits(self) -> Any:
        self.load._limits = (0, 0) if self.name in self.blank else (0, 10)
        return super().limits

    def has_job(self, token: str) -> bool:
        return token in self.jobs

    def never_began(self, token: str) -> bool:
        return token not in self.jobs

    def start(self, token: str) -> None:
        self.jobs.add(token)
        self.token.put(token)
        self.state.put("done")

    def progress(self) -> str:
        return str(self.state.get())


DATA: dict[str, Any] = {
    "name": "test",
    "seed": 1,
    "space": {"parameters": {"x": {"kind": "float", "unit": "g", "low": 1, "high": 9}}},
    "metrics": {"mass": {"kind": "measured", "unit": "g"}},
    "objective": {"terms": [{"goal": "target", "metric": "mass", "low": 4, "high": 5, "scale": 1}]},
    "planner": {"initial": 9},
    "lab": {"kind": "real"},
    "stations": {name: {"kind": "device", "device": f"{__name__}:Scale"} for name in ("left", "right")},
    "workflow": [
        {
            "name": "weigh",
            "stations": ["left", "right"],
            "recipe": {"load": "$x"},
            "analysis": "instruments.analyses.plain_readings:metrics",
            "analysis_settings": {"signals": {"mass": "load"}, "uncertainty": {"mass": 0.01}},
            "gives": ["mass"],
            "timeout": "1 min",
        }
    ],
    "budget": {"trials": 4},
}


class Lab:
    """A campaign on two balances, of which one trial was made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[str] = []
        self.at: list[str] = []
        self.run(most=1)

    def run(self, most: int | None = None, told: Any = None) -> SessionResult:
        """Run the campaign; ``told`` is called with each warning."""

        def on_event(event: Event) -> None:
            if isinstance(event, StepStarted):
                self.at.append(event.station)
            if isinstance(event, Warned):
                self.told.append(event.text)
                if told is not None:
                    told(event.text)

        campaign = Campaign(**DATA)
        parts = CampaignResources(campaign, None, Planner(campaign, build_encoder(campaign, None), ()))
        url = f"sqlite:///{self.folder / 'test.db'}"
        return conduct(parts, RunOptions(url, yaml.safe_dump(DATA), max_trials=most), on_event)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(missing_stations, "_PAUSE", 0.05)
    yield Lab(tmp_path)
    Scale.off.clear()
    Scale.blank.clear()


def test_a_station_that_does_not_answer_is_left_out_until_it_does(lab: Lab) -> None:
    Scale.off.add("left")
    result = lab.run(most=2)
    assert [trial.state for trial in result.trials] == [TrialState.COMPLETED] * 3
    assert lab.at[1:] == ["right"] * 2
    assert "left is left out until it can be asked: left does not answer: TimeoutError: nobody there" in lab.told


@pytest.mark.parametrize("ailing", [Scale.off, Scale.blank])
def test_where_none_can_be_asked_nothing_moves_until_one_can(lab: Lab, ailing: set[str]) -> None:
    ailing |= {"left", "right"}

    def mend(text: str) -> None:
        if text.startswith("right is left out"):
            assert len(lab.at) == 1, "nothing has begun"
            ailing.discard("right")

    result = lab.run(told=mend)
    assert [trial.state for trial in result.trials] == [TrialState.COMPLETED] * 4
    assert lab.at[1:] == ["right"] * 3
    assert "right answers now, and is used" in lab.told


def test_at_the_first_start_somebody_is_there_to_correct_an_address(tmp_path: Path) -> None:
    Scale.off.add("left")
    try:
        with pytest.raises(NoAnswerError, match="left does not answer: TimeoutError: nobody there"):
            Lab(tmp_path)
    finally:
        Scale.off.clear()
