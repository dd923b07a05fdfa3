"""From a campaign's manual steps to the instruments that stand for people."""

from __future__ import annotations

import time
from typing import Any

from campaigns.campaign import Campaign
from campaigns.fidelity import all_steps
from campaigns.lab.laboratory import EpicsLabConfig, StepConfig, VirtualLabConfig
from campaigns.lab.manual_steps import PARAMETERS
from campaigns.values import Scalar
from instruments.clock import Clock
from instruments.devices.manual import ManualInstrument, ManualStep
from instruments.job import Job
from instruments.job_instrument import JobInstrument
from instruments.job_memory import JobMemory
from loop.core.formatting import one_line
from loop.execution.laboratory.device_binding import JobRecords, memory_folder


def manual_instrument(campaign: Campaign, name: str, clock: Clock, records: JobRecords) -> ManualInstrument:
    """Return the person at a station of kind manual; in a simulated lab, its jobs take as long as their steps say.

    Args:
        campaign: stations and steps.
        name: of the station.
        clock: the lab's clock.
        records: where its jobs are remembered.

    Raises:
        LabError: its jobs cannot be remembered.
    """
    simulated = isinstance(campaign.lab, VirtualLabConfig | EpicsLabConfig)
    steps = {step.name: _step(step, simulated) for _, step in all_steps(campaign.workflow, campaign.fidelities)}
    setpoints = campaign.stations[name].setpoints
    memory = JobMemory(memory_folder(records.state, name))
    return ManualInstrument.of(setpoints)(name=name, clock=clock, setpoints=setpoints, steps=steps, memory=memory)


def asked_of_person(step: StepConfig, job: Job, instrument: JobInstrument, parameters: str) -> dict[str, Any] | None:
    """Return what a person is asked to do, as the store keeps it; None where nobody is.

    Args:
        step: with the instructions.
        job: at this step.
        instrument: that of the station.
        parameters: of the trial, for people.
    """
    if not isinstance(instrument, ManualInstrument) or instrument.simulated(step.name):
        return None
    told = {key: setting_text(value, instrument.unit_of(key)) for key, value in job.recipe.items()}
    everything = ", ".join(f"{key} {text}" for key, text in told.items())
    fields = {"sample": job.sample, "material": job.material or "none", "settings": everything or "none", **told}
    fields[PARAMETERS] = parameters or "none"
    now = time.time()
    return {
        "text": one_line(step.instructions.format_map(fields)),
        "readings": [f"'{name}={ask.example}'" for name, ask in step.asks.items() if not ask.optional],
        "since": now,
        "until": now + instrument.clock.wall_time(job.timeout),
    }


def setting_text(value: Scalar, unit: str) -> str:
    """Return a setting for people."""
    return value if isinstance(value, str) else f"{value:.6g} {unit}".removesuffix(" 1")


def _step(step: StepConfig, simulated: bool) -> ManualStep:
    return ManualStep(step.asks, step.duration_of({}) if simulated else None)
