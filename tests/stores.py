"""A campaign file with a store beside it: four trials, each with another outcome."""

from __future__ import annotations

from pathlib import Path

from campaigns.values import Candidate, MetricValue, TrialState
from loop.core.campaign_records import CampaignRecord
from loop.core.proposals import Alternative, Proposal
from loop.core.records import StepRecord, TrialResult
from loop.storage.store import Store

CAMPAIGN = """\
name: small
seed: 1
space:
  parameters:
    temperature: {kind: float, unit: degC, low: 500, high: 900}
metrics:
  capacity: {kind: measured, unit: mAh/g}
objective:
  terms:
    - {goal: maximise, metric: capacity, scale: 10 mAh/g}
lab: {kind: virtual}
stations:
  furnace: {kind: furnace}
workflow:
  - name: make
    stations: [furnace]
    recipe: {temperature: $temperature}
    analysis: instruments.analyses.calcination:phase_fraction
    gives: [capacity]
    timeout: 10 h
    cost: 60 USD
budget: {trials: 10, wall_time: 15 min, cost: 900 USD}
stopping: [{kind: target, score: 15.2}, {kind: stagnation, trials: 4}]
"""

MODEL_PROPOSAL = Proposal(
    "model",
    acquisition=-1.25,
    predictions={"capacity": MetricValue(150.0, 10.0, "mAh/g")},
    score=(15.0, 1.0),
    feasibility=0.75,
    learnt_from=(0,),
    pending=(1,),
    models={"capacity": {"kind": "gp", "observations": 1, "hyper_parameters": {"length.0": 0.12345}}},
    alternatives=(Alternative(Candidate({"temperature": 777.0}), -2.5),),
)


def fill(folder: Path) -> Path:
    """Write small.yaml and its store into a folder and return the file."""
    file = folder / "small.yaml"
    file.write_text(CAMPAIGN)
    store = Store(f"sqlite:///{folder / 'small.db'}")
    store.begin(CampaignRecord("small", CAMPAIGN, 1, "print", 1.7e9), {"torch": "0"})
    measured = {"capacity": MetricValue(150.0, 2.0, "mAh/g")}
    for number, proposal in enumerate(
        [Proposal("space-filling"), MODEL_PROPOSAL, Proposal("model"), Proposal("model")]
    ):
        store.propose(number, Candidate({"temperature": 600.0 + number}), proposal, 0.0)
    for number in range(3):
        step = StepRecord("make", 1, "furnace", f"t{number}", TrialState.CLAIMED, None, None, None, "", 60.0)
        store.claim(number, step, 10.0)
        store.mark(f"t{number}", TrialState.DISPATCHED, 11.0)
    for number in range(2):
        store.document(f"t{number}", "start", {"uid": f"uid-{number}-abcdef"}, 11.0)
        data = {"temperature": 600.0, "note": "[bold]not markup[/bold]", "counts": list(range(9))}
        store.document(f"t{number}", "event", {"data": data}, 3611.0)
        store.measure(f"t{number}", measured)
    store.end(0, TrialResult(TrialState.COMPLETED, "", measured, (), 15.0, 0.2, True), 3612.0)
    store.end(1, TrialResult(TrialState.QUARANTINED, "[red]spike\x1b[2J\nin the data", measured, ("spike",)), 3613.0)
    store.close("stopped for the night")
    return file
