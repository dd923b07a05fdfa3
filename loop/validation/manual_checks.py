"""What can be told of steps that people do: what is set and read there, and whether a simulated lab can do them."""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.campaign import Campaign
from campaigns.checks.manual_consistency import MANUAL
from campaigns.errors import Problem
from campaigns.fidelity import all_steps
from campaigns.lab.laboratory import EpicsLabConfig, VirtualLabConfig
from campaigns.values import lab_time
from instruments.built_in import InstrumentFacts, Setting


def manual_facts(campaign: Campaign, station: str) -> InstrumentFacts:
    """Return what a person may be told, and what is read of the answers; a recipe may leave out any setting."""
    setpoints = campaign.stations[station].setpoints
    settings = {key: Setting(one.unit or "", one.limits or (0.0, 0.0), one.choices) for key, one in setpoints.items()}
    steps = (step for _, step in all_steps(campaign.workflow, campaign.fidelities) if station in step.stations)
    asked = frozenset(name for step in steps for name in step.asks)
    return InstrumentFacts(
        settings, {key: one.choices[0] if one.choices else one.limits[0] for key, one in settings.items()}, asked
    )


def unsimulated(campaign: Campaign) -> Iterator[Problem]:
    """Yield what a simulated lab would have to be told of manual steps, as nobody answers there."""
    if not isinstance(campaign.lab, VirtualLabConfig | EpicsLabConfig):
        return
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        if all(campaign.stations[name].kind != MANUAL for name in step.stations):
            continue
        lab = f"lab: {{kind: {campaign.lab.kind}}} has a clock of its own, on which nobody answers"
        if step.duration is None or isinstance(step.duration, str):
            yield Problem(f"{where}.duration", f"{lab}: say how long {step.name} takes there, as a time such as 10 min")
        elif step.duration > step.timeout:
            message = f"{step.name} takes {lab_time(step.duration)} there, and may take {lab_time(step.timeout)}"
            yield Problem(f"{where}.timeout", f"{message}; allow more time")
        for name, ask in step.asks.items():
            if ask.simulated is None:
                yield Problem(f"{where}.asks.{name}", f"{lab}: add simulated: what is read there")
