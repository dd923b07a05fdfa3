from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from campaigns.campaign import Campaign
from campaigns.surrogate import RetrainConfig
from campaigns.values import Candidate, MetricValue
from loop.core.records import TrialRecord
from loop.execution.retraining import Retraining
from loop.planning.planner import Planner
from surrogates.models.encoder import Encoder, MaterialTable, feature_view
from surrogates.pools.pool import Pool, PoolEntry
from surrogates.predictors.trained import prior_values
from tests.loop.conftest import only_step, quick
from tests.trained import heats, salts, trained
from tests.trials import completed

EVERY = 24


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "model"
    trained(folder)
    return folder


def pool() -> Pool:
    return Pool("salts", tuple(PoolEntry(f"salt {i}", cell) for i, cell in enumerate(salts())))


def campaign(model: Path) -> Campaign:
    data = quick(
        space={"pool": {"kind": "generator", "function": "a.b:c"}},
        metrics={"heat": {"kind": "measured", "unit": "eV/atom", "prior": {"model": str(model)}}},
        objective={"terms": [{"goal": "maximise", "metric": "heat", "scale": 1}]},
        surrogate={"features": [{"kind": "composition"}], "retrain": {"metric": "heat", "every": EVERY, "epochs": 20}},
    )
    data["workflow"] = [only_step(["heat"])]
    return Campaign(**data)


class Session:
    """A campaign on the salts whose property is not what the model was trained on."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.campaign = campaign(model)
        views = {"composition": feature_view(np.random.default_rng(0).normal(size=(48, 4)).astype(np.float32))}
        prior = prior_values(model, pool(), "eV/atom")
        encoder = Encoder(self.campaign.space, MaterialTable(pool().ids, views, {"prior:heat": prior}))
        self.planner = Planner(self.campaign, encoder)
        assert isinstance(self.campaign.surrogate.retrain, RetrainConfig)
        rule, models = self.campaign.surrogate.retrain, self.planner.models
        self.retraining = Retraining(self.campaign, rule, pool(), folder, models)

    def prior(self) -> np.ndarray:
        self.planner.suggest()
        materials = self.planner.models.posterior().problem.encoder.materials
        assert materials is not None
        return materials.numbers["prior:heat"]


def trials(count: int) -> list[TrialRecord]:
    """Return completed trials: the property has changed its sign since the model was trained."""
    values = -heats(salts())
    metrics = [{"heat": MetricValue(float(v), 0.01, "eV/atom")} for v in values]
    return [completed(i, 0.0, candidate=Candidate({}, f"salt {i}"), metrics=metrics[i]) for i in range(count)]


@pytest.fixture
def session(model: Path, tmp_path: Path) -> Iterator[Session]:
    made = Session(model, tmp_path / "models")
    yield made
    made.retraining.stop()


@pytest.mark.slow
def test_a_model_that_predicts_held_back_data_better_is_taken_over_when_it_is_due(
    session: Session, model: Path, tmp_path: Path
) -> None:
    done = trials(EVERY + 5)
    session.planner.recall(done)
    assert session.retraining.advance(done[: EVERY - 1]) == []
    ((metric, text),) = session.retraining.advance(done[:EVERY])
    assert (metric, text) == ("heat", f"tuning 1 of the prior has begun, on {EVERY} trials")
    assert session.retraining.advance(done[: EVERY + 4]) == []
    before = session.prior()
    ((_, text),) = session.retraining.advance(done)
    assert text.startswith("tuning 1 of the prior is taken over:")
    truth = -heats(salts())
    after = session.prior()
    assert np.abs(after - truth).mean() < 0.7 * np.abs(before - truth).mean()

    again = Session(model, tmp_path / "models")
    again.planner.recall(done)
    again.retraining.advance(done)
    assert np.array_equal(again.prior(), after)
    assert again.planner.models.posterior().describe() == session.planner.models.posterior().describe()


@pytest.mark.slow
def test_a_tuning_that_is_killed_is_told_and_the_campaign_goes_on(session: Session) -> None:
    done = trials(EVERY + 5)
    session.planner.recall(done)
    session.retraining.advance(done[:EVERY])
    (tuning,) = session.retraining._under_way.values()
    tuning._process.kill()
    ((_, text),) = session.retraining.advance(done)
    assert text.startswith("tuning 1 of the prior is not taken over:")
    assert "killed" in text
    session.planner.suggest()


def test_no_model_is_tuned_on_what_is_not_believed(session: Session) -> None:
    done = trials(EVERY)
    done[7] = replace(done[7], metrics={"heat": MetricValue(500.0, 0.01, "eV/atom")})
    session.planner.recall(done)
    session.retraining.advance(done)
    (tuning,) = session.retraining._under_way.values()
    assert sorted(row.id for row in tuning._task.rows) == sorted(f"salt {i}" for i in range(EVERY) if i != 7)
