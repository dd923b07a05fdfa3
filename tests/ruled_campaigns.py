"""A campaign whose laboratory stands in a file of its own, and that file."""

from __future__ import annotations

from pathlib import Path

from campaigns.campaign import Campaign
from campaigns.load import load_campaign

CAMPAIGN = """\
name: ruled
seed: 1
space:
  parameters:
    temperature: {kind: float, unit: K, low: 800, high: 1100}
    time: {kind: float, unit: h, low: 2, high: 10}
    gas: {kind: categorical, levels: [air, oxygen, argon]}
metrics:
  peak: {kind: measured, unit: degC}
objective:
  terms:
    - {goal: maximise, metric: peak, scale: 10 K}
planner: {initial: 3}
lab: {kind: file, path: lab.yaml}
workflow:
  - name: heat
    stations: [furnace]
    recipe: {temperature: $temperature, time: $time, atmosphere: $gas, lithium_excess: 4 percent}
    analysis: hot:peak
    gives: [peak]
    timeout: 60 h
budget: {trials: 3}
"""
LAB = """\
lab: {kind: virtual}
stations:
  furnace:
    kind: furnace
    limits:
      temperature: {unit: degC, low: 200, high: 1120 K}
      atmosphere: {choices: [air, oxygen, argon]}
    requires: ["door == closed and coolant > 0.5 L/min"]
readings:
  door: {station: furnace, signal: door}
  coolant: {device: "hot:coolant", unit: L/min}
forbidden:
  - "furnace.atmosphere == oxygen and furnace.temperature > 700 degC"
"""
HOT = """\
from ophyd import Signal
from campaigns.values import Measurement, MetricValue

coolant = Signal(name="coolant", value=1.0)


def peak(data, context):
    return Measurement({"peak": MetricValue(data["peak_temperature"], 1.0, "degC")})
"""


def write_ruled(folder: Path, *, lab: str = LAB, campaign: str = CAMPAIGN) -> Path:
    """Write a campaign with its lab file and module, and return the campaign's file."""
    (folder / "lab.yaml").write_text(lab, encoding="utf-8")
    (folder / "hot.py").write_text(HOT, encoding="utf-8")
    file = folder / "ruled.yaml"
    file.write_text(campaign, encoding="utf-8")
    return file


def ruled_campaign(folder: Path, *, lab: str = LAB, campaign: str = CAMPAIGN) -> Campaign:
    """Return a campaign with its lab file."""
    return load_campaign(write_ruled(folder, lab=lab, campaign=campaign))
