"""What the laboratory forbids is proposed by nobody: neither to fill the space, nor by the models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from campaigns.campaign import Campaign
from campaigns.lab.lab_rules import LabFileConfig
from campaigns.values import Candidate
from loop.execution.decisions.pending_amendments import check_candidate
from loop.planning.planner import Planner
from surrogates.models.encoder import Encoder, MaterialTable
from tests.planned import Lab, campaign

MATERIALS = 12
FORBIDDEN = {f"m{i:02d}" for i in range(6)}


def ruled(forbidden: list[str], **changes: Any) -> Campaign:
    """Return a campaign of one number, and its laboratory that forbids something."""
    limits = {"x0": {"unit": "1", "low": 0, "high": 1}, "x1": {"unit": "1", "low": 0, "high": 1}}
    station = {"kind": "furnace", "limits": limits}
    rules = LabFileConfig.model_validate(
        {"lab": {"kind": "virtual"}, "stations": {"eye": station}, "forbidden": forbidden}
    )
    return campaign(2, **({"lab": rules.lab.ruled_by(rules), "stations": {}, "planner": {"initial": 4}} | changes))


@pytest.mark.slow
def test_the_best_of_a_box_is_looked_for_where_it_is_allowed() -> None:
    lab = Lab(ruled(["eye.x0 > 0.5 and eye.x1 > 0.5"]), lambda p, _: float(p["x0"]) + float(p["x1"]))
    for trial in lab.run(7):
        assert not (float(trial.candidate.parameters["x0"]) > 0.5 and float(trial.candidate.parameters["x1"]) > 0.5)
    assert max(float(t.metrics["merit"].value) for t in lab.trials) > 1.3


@pytest.mark.slow
def test_materials_are_left_out_where_they_are_forbidden_with_a_setting() -> None:
    names = ", ".join(sorted(FORBIDDEN))
    pool = {"pool": {"kind": "generator", "function": "a.b:c"}}
    plan = ruled([f"eye.x0 > 0.3 and material in [{names}]"])
    plan = Campaign.model_validate(
        {name: getattr(plan, name) for name in Campaign.model_fields}
        | {"space": {"parameters": dict(plan.space.parameters), **pool}}
        | {"surrogate": {"features": [{"kind": "composition"}]}}
    )
    features = np.random.default_rng(3).normal(size=(MATERIALS, 3))
    table = MaterialTable(tuple(f"m{i:02d}" for i in range(MATERIALS)), {"composition": features}, {})
    lab = Lab(plan, lambda p, _: float(p["x0"]))
    lab.planner = Planner(plan, Encoder(plan.space, table))
    trials = lab.run(7)
    assert any(trial.candidate.material in FORBIDDEN for trial in trials)
    for trial in trials:
        assert trial.candidate.material not in FORBIDDEN or float(trial.candidate.parameters["x0"]) <= 0.3
    hot = {"x0": 0.9, "x1": 0.5}
    assert check_candidate(plan, Candidate(hot, "m11")) == ""
    assert check_candidate(plan, Candidate(hot, "m00")).startswith("the laboratory forbids it: eye.x0 > 0.3 and")
