from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from campaigns.campaign import Campaign
from campaigns.values import Candidate, MetricValue
from loop.core.records import TrialRecord
from loop.diagnostics.model_health import HealthState
from loop.planning.planner import Planner
from surrogates.models.encoder import Encoder, MaterialTable, embedding_view, feature_view
from tests.loop.conftest import only_step, quick
from tests.trials import completed

MATERIALS = 400
PATIENCE = 20


def campaign(prior: bool = False, seed: int = 0) -> Campaign:
    data = quick(
        seed=seed,
        space={"pool": {"kind": "generator", "function": "tests.loop.planning.test_health_monitor:pool"}},
        surrogate={"features": [{"kind": "chgnet"}, {"kind": "composition"}]},
        metrics={"gap": {"kind": "measured", "unit": "eV"} | ({"prior": "a.b:c"} if prior else {})},
        objective={"terms": [{"goal": "maximise", "metric": "gap", "scale": 1}], "find": {"kind": "many"}},
        planner={"initial": 10},
    )
    data["workflow"] = [only_step(["gap"])]
    return Campaign(**data)


class World:
    """The gap follows the network's embedding; the composition knows a part of it."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        hidden = rng.normal(size=(MATERIALS, 6))
        self.gap = hidden @ np.array([1.0, 0.8, 0.6, 0.3, 0.0, 0.0]) + 0.5 * np.sin(2 * hidden[:, 0])
        self.network = embedding_view((hidden + 0.05 * rng.normal(size=hidden.shape)).astype(np.float32))
        self.composition = feature_view(hidden[:, :2].astype(np.float32))
        self.best = set(np.argsort(-self.gap)[: MATERIALS // 50].tolist())
        self.shuffled = self.network[rng.permutation(MATERIALS)]
        self.noise = 0.05 * rng.normal(size=MATERIALS)

    def planner(self, network: np.ndarray, prior: np.ndarray | None = None, seed: int = 0) -> Planner:
        views = {"chgnet": network, "composition": self.composition}
        numbers = {} if prior is None else {"prior:gap": prior}
        plan = campaign(prior is not None, seed)
        return Planner(plan, Encoder(plan.space, MaterialTable(tuple(map(str, range(MATERIALS))), views, numbers)))

    def measure(self, number: int, candidate: Candidate, **known: Any) -> TrialRecord:
        place = int(candidate.material or 0)
        value = MetricValue(float(self.gap[place] + self.noise[place]), 0.05, "eV")
        return completed(number, value.value, candidate=candidate, metrics={"gap": value}, **known)


def search(world: World, planner: Planner, done: list[TrialRecord], until: int) -> list[TrialRecord]:
    """Go on with a campaign until so many trials were made, or most of the best are found."""
    while len(done) < until and found(world, done) < 0.7 * len(world.best):
        number, candidate, proposal = planner.suggest()
        done.append(world.measure(number, candidate, proposal=proposal))
        planner.ingest(done[-1])
    return done


def found(world: World, done: list[TrialRecord]) -> int:
    return len({int(t.candidate.material or 0) for t in done} & world.best)


def taken_up(world: World, done: list[TrialRecord], network: np.ndarray) -> Planner:
    planner = world.planner(network)
    planner.recall(done)
    return planner


@pytest.mark.slow
def test_embeddings_that_are_shuffled_in_mid_campaign_are_noticed_and_dropped() -> None:
    lengths: dict[str, list[int]] = {"spoilt": [], "without": []}
    for seed in range(3):
        world = World(seed)
        blind = np.zeros_like(world.network)
        lengths["without"].append(len(search(world, world.planner(blind), [], 200)))
        done = search(world, world.planner(world.network), [], 12)
        done = search(world, taken_up(world, done, world.shuffled), done, 200)
        lengths["spoilt"].append(len(done))
        told = [t.proposal.models["gap"] for t in done[12:] if t.proposal.models]
        assert any(_dropped(model) for model in told[:PATIENCE])
        assert _dropped(told[-1])
    assert np.mean(lengths["spoilt"]) <= 1.25 * np.mean(lengths["without"])


def _dropped(model: Any) -> bool:
    return model["features"].get("chgnet", 0.0) < 0.3 or model["health"]["state"] == HealthState.FALLBACK


@pytest.mark.slow
@pytest.mark.parametrize("sign", [-1.0, 0.0])
def test_a_prior_of_the_wrong_sign_or_without_meaning_is_dropped_and_costs_little(sign: float) -> None:
    lengths: dict[str, list[int]] = {"spoilt": [], "without": []}
    for seed in range(3):
        world = World(seed)
        lengths["without"].append(len(search(world, world.planner(world.network), [], 200)))
        prior = sign * world.gap + np.random.default_rng(seed).normal(size=MATERIALS)
        done = search(world, world.planner(world.network, prior), [], 200)
        lengths["spoilt"].append(len(done))
        used = [t.proposal.models["gap"]["prior"]["used"] for t in done if t.proposal.models]
        assert not any(used[10:])
    assert np.mean(lengths["spoilt"]) <= 1.25 * np.mean(lengths["without"]) + 2


def test_model_health_is_the_same_after_a_restart() -> None:
    world = World(1)
    planner = world.planner(world.network)
    done = search(world, planner, [], 25)
    assert taken_up(world, done, world.network).suggest() == planner.suggest()


@pytest.mark.slow
def test_spikes_are_held_against_no_model() -> None:
    world, done = World(1), list[TrialRecord]()
    planner = world.planner(world.network)
    for number in range(26):
        _, candidate, proposal = planner.suggest()
        trial = world.measure(number, candidate, proposal=proposal)
        if number in (14, 18, 22):
            trial = replace(trial, metrics={"gap": MetricValue(80.0, 0.05, "eV")})
        done.append(trial)
        planner.ingest(trial)
    latest = planner.suggest()
    figures = latest[2].models["gap"]["health"]["figures"]
    assert figures["predictions"] >= 10
    assert figures["rmsd"] < 5.0
    assert taken_up(world, done, world.network).suggest() == latest
