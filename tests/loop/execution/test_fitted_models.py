"""The models of a campaign in scripts of the user's own: fitted to its store, in the metric's unit."""

from pathlib import Path

import pytest
import torch

from campaigns.errors import StoreError
from campaigns.values import Candidate, MetricValue, TrialState
from loop.core.campaign_records import CampaignRecord
from loop.core.proposals import Proposal
from loop.core.records import StepRecord, TrialResult
from loop.execution.fitted_models import FittedModels, fitted_models
from loop.storage.store import Store
from tests.stores import CAMPAIGN

TEMPERATURES = (500.0, 600.0, 650.0, 700.0, 800.0, 900.0)


def capacity(temperature: float) -> float:
    return 100.0 + (temperature - 500.0) / 4.0


def fitted(folder: Path, yaml: str = CAMPAIGN) -> FittedModels:
    """Return the models of a campaign whose store holds a capacity that rises from 100 to 200 mAh/g."""
    file = folder / "small.yaml"
    file.write_text(yaml)
    store = Store(f"sqlite:///{folder / 'small.db'}")
    store.begin(CampaignRecord("small", yaml, 1, "print", 1.7e9), {})
    for number, temperature in enumerate(TEMPERATURES):
        metrics = {"capacity": MetricValue(capacity(temperature), 1.0, "mAh/g")}
        token = f"t{number}"
        store.propose(number, Candidate({"temperature": temperature}), Proposal("space-filling"), 0.0)
        store.claim(
            number, StepRecord("make", 1, "furnace", token, TrialState.CLAIMED, None, None, None, "", 60.0), 1.0
        )
        store.mark(token, TrialState.DISPATCHED, 2.0)
        store.document(token, "start", {"uid": token}, 2.0)
        store.document(token, "event", {"data": {"temperature": temperature}}, 3.0)
        store.measure(token, metrics)
        store.end(number, TrialResult(TrialState.COMPLETED, "", metrics, (), 10.0, 0.1, True), 4.0)
    store.close("done")
    return fitted_models(file)


@pytest.mark.slow
def test_each_measured_metric_has_a_model_in_its_unit_that_saw_what_the_store_holds(tmp_path: Path) -> None:
    found = fitted(tmp_path)
    assert set(found.models) == {"capacity"}
    assert found.rows.shape[0] == len(TEMPERATURES)
    posterior = found.models["capacity"].posterior(found.rows)
    expected = torch.tensor([[capacity(t)] for t in TEMPERATURES], dtype=torch.float64)
    assert torch.allclose(posterior.mean, expected, atol=3.0)
    assert float(posterior.variance.max()) < 9.0


@pytest.mark.slow
def test_a_metric_with_limits_is_predicted_within_them(tmp_path: Path) -> None:
    found = fitted(tmp_path, CAMPAIGN.replace("unit: mAh/g}", "unit: mAh/g, within: [90, 201]}"))
    model = found.models["capacity"]
    torch.manual_seed(0)
    samples = model.posterior(found.rows).rsample(torch.Size([500]))
    assert 90.0 <= float(samples.min()) <= float(samples.max()) <= 201.0


def test_a_campaign_without_a_store_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(CAMPAIGN)
    with pytest.raises(StoreError):
        fitted_models(file)
