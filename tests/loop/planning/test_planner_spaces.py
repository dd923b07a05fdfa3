"""Campaigns in every kind of space, from the first proposal to the best one, and over a kill."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from campaigns.campaign import Campaign
from campaigns.relative_paths import PARENT
from campaigns.values import Candidate, MetricValue, TrialState
from loop.core.proposals import Proposal
from loop.core.records import TrialRecord
from loop.planning.planner import Planner
from loop.planning.shortlist import SpaceExhaustedError
from surrogates.models.encoder import Encoder
from tests.loop.conftest import only_step, quick
from tests.trials import trial

pytestmark = pytest.mark.slow

Values = dict[str, Any]
ATMOSPHERE = {"kind": "categorical", "levels": ["air", "argon", "nitrogen"]}


def campaign(space: Values, folder: Path | None = None, seed: int = 0) -> Campaign:
    shares = [name for mixture in space.get("mixtures", {}).values() for name in mixture["components"]]
    step = only_step(["yield_"], [*space.get("parameters", {}), *shares])
    data = quick(
        seed=seed,
        space=space,
        metrics={"yield_": {"kind": "measured", "unit": "1"}},
        objective={"terms": [{"goal": "maximise", "metric": "yield_", "scale": 1}]},
        workflow=[step],
        planner={"initial": 6},
    )
    return Campaign.model_validate(data, context={PARENT: folder})


@dataclass
class Lab:
    """Measures what a function says, and remembers every trial."""

    plan: Campaign
    truth: Callable[[Mapping[str, Any]], float]

    def __post_init__(self) -> None:
        self.trials: list[TrialRecord] = []
        self.planner = Planner(self.plan, Encoder(self.plan.space))

    def work(self, count: int) -> list[Candidate]:
        for _ in range(count):
            number, candidate, proposal = self.planner.suggest()
            self.trials.append(self._measured(number, candidate, proposal))
            self.planner.ingest(self.trials[-1])
        return [t.candidate for t in self.trials]

    def restart(self) -> None:
        """Forget everything but the trials."""
        self.planner = Planner(self.plan, Encoder(self.plan.space))
        self.planner.recall(self.trials)

    @property
    def best(self) -> float:
        return max(self.truth(t.candidate.parameters) for t in self.trials)

    def _measured(self, number: int, candidate: Candidate, proposal: Proposal) -> TrialRecord:
        value = self.truth(candidate.parameters)
        done = {
            "metrics": {"yield_": MetricValue(value, 1e-3, "1")},
            "score": value,
            "score_sd": 1e-3,
            "feasible": True,
        }
        return trial(
            number, TrialState.COMPLETED, candidate=candidate, proposal=proposal, completed_order=number, **done
        )


def binder(values: Mapping[str, Any]) -> float:
    return -((values["sbr"] - 0.7) ** 2) - (values["cmc"] - 0.3) ** 2 - values["pvdf"] - values["paa"]


def oven(values: Mapping[str, Any]) -> float:
    """Best in argon at a flow of 2."""
    if values["atmosphere"] == "air":
        return 0.0
    return 1.0 - (values["flow"] - 2.0) ** 2 / 4.0 + 0.3 * (values["atmosphere"] == "argon")


def line(values: Mapping[str, Any]) -> float:
    return -((values["a"] - 0.3) ** 2) - (values["c"] - 0.5) ** 2


SPACES: dict[str, tuple[Values, Callable[[Mapping[str, Any]], float], float]] = {
    "mixture": (
        {
            "mixtures": {
                "binder": {"components": {"pvdf": {"high": 0.3}, "cmc": {}, "sbr": {}, "paa": {}}, "at_most": 2}
            }
        },
        binder,
        -0.01,
    ),
    "conditional": (
        {
            "parameters": {
                "atmosphere": ATMOSPHERE,
                "flow": {
                    "kind": "float",
                    "unit": "ml/min",
                    "low": 1,
                    "high": 5,
                    "when": {"atmosphere": ["argon", "nitrogen"]},
                    "otherwise": 0,
                },
            }
        },
        oven,
        1.25,
    ),
    "equality": (
        {
            "parameters": {name: {"kind": "float", "unit": "1", "low": 0, "high": 1} for name in "abc"},
            "constraints": ["a + 2 * b == 1", "a * c <= 0.5"],
        },
        line,
        -0.01,
    ),
}


@cache
def undisturbed(kind: str) -> Lab:
    """Return 15 trials."""
    space, truth, _ = SPACES[kind]
    lab = Lab(campaign(space), truth)
    lab.work(15)
    return lab


@pytest.mark.parametrize("kind", SPACES)
def test_the_planner_comes_near_the_optimum_within_the_space_and_repeats_nothing(kind: str) -> None:
    lab, good = undisturbed(kind), SPACES[kind][2]
    found = [t.candidate for t in lab.trials]
    assert all(lab.plan.space.contains(c) for c in found)
    assert len({c.key() for c in found}) == len(found)
    assert lab.best > good


@pytest.mark.parametrize("kind", SPACES)
@pytest.mark.parametrize("killed_after", [2, 7])
def test_a_kill_changes_no_proposal_and_repeats_no_point(kind: str, killed_after: int) -> None:
    space, truth, _ = SPACES[kind]
    killed = Lab(campaign(space), truth)
    killed.work(killed_after)
    killed.restart()
    assert killed.work(9 - killed_after) == [t.candidate for t in undisturbed(kind).trials[:9]]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = ["temperature,atmosphere,comment"]
    lines += [f"{900 + 50 * i},{gas},x" for i in range(5) for gas in ("air", "argon")]
    (tmp_path / "rows.csv").write_text("\n".join([*lines, lines[-1]]))
    return tmp_path


ROWS = {
    "parameters": {
        "temperature": {"kind": "float", "unit": "K", "low": 900, "high": 1300},
        "atmosphere": {"kind": "categorical", "levels": ["air", "argon"]},
    },
    "rows": {"file": "rows.csv"},
}


def test_a_table_is_proposed_row_by_row_each_once_until_none_is_left(table: Path) -> None:
    lab = Lab(campaign(ROWS, table), lambda values: values["temperature"] / 1000)
    found = lab.work(10)
    assert {c.key() for c in found} == {Candidate(row).key() for row in lab.plan.space.table or ()}
    assert len({c.key() for c in found}) == 10
    lab.restart()
    with pytest.raises(SpaceExhaustedError, match="every candidate"):
        lab.work(1)


def test_the_best_row_of_a_table_is_found_before_half_of_it_was_tried(tmp_path: Path) -> None:
    points = np.random.default_rng(1).uniform(900, 1300, size=(300, 2)).round(1)
    text = "\n".join(["temperature,anneal", *(f"{a},{b}" for a, b in points)])
    (tmp_path / "rows.csv").write_text(text)
    kelvin = {"kind": "float", "unit": "K", "low": 900, "high": 1300}
    space = {"parameters": {"temperature": kelvin, "anneal": kelvin}, "rows": {"file": "rows.csv"}}

    def truth(values: Mapping[str, Any]) -> float:
        return -(((values["temperature"] - 1010) / 100) ** 2) - ((values["anneal"] - 1200) / 100) ** 2

    lab = Lab(campaign(space, tmp_path), truth)
    found = lab.work(18)
    assert all(lab.plan.space.contains(c) for c in found)
    best = sorted((truth({"temperature": a, "anneal": b}) for a, b in points), reverse=True)
    assert lab.best >= best[2]
