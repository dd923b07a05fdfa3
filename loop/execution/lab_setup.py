"""From a campaign to its laboratory: instruments, analyses, and each step's recipe in the instruments' units."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, Problem, called
from campaigns.laboratory import CustomLabConfig, EpicsLabConfig, StationConfig, StepConfig, VirtualLabConfig
from campaigns.user_code.dotted_paths import Use
from campaigns.user_code.loading import load_object
from campaigns.values import Candidate, Scalar
from instruments.job_instrument import JobInstrument
from instruments.lab import Lab
from loop.validation.limit_checks import constant, converted

if TYPE_CHECKING:
    from loop.planning.pool_data import PoolData


def build_lab(campaign: Campaign, materials: PoolData | None, state: Path, start: float) -> Lab:
    """Return the laboratory, with every instrument that the campaign names.

    Args:
        campaign: lab and stations.
        materials: the pool, which the virtual lab has to know.
        state: folder for what virtual instruments remember.
        start: lab time in seconds at which the lab starts at the earliest.
    """
    match campaign.lab:
        case VirtualLabConfig() | EpicsLabConfig():
            from simulators.lab_factory import build_simulated_lab

            return build_simulated_lab(campaign, () if materials is None else materials.pool.entries, state, start)
        case CustomLabConfig(factory=factory):
            return _lab(called(load_object(factory, "lab.factory", Use.LAB), factory, "lab.factory"), factory)
        case _:
            assert_never(campaign.lab)


def _lab(made: Any, factory: str) -> Lab:
    """Return what a factory has made, if it is a laboratory."""
    lacking = [name for name in ("clock", "instrument", "close") if not hasattr(made, name)]
    if lacking:
        message = (
            f"{factory} returned a {type(made).__name__} without {', '.join(lacking)}; needed: instruments.lab:Lab"
        )
        raise CampaignError([Problem("lab.factory", message)])
    lab: Lab = made
    return lab


def build_instrument(name: str, config: StationConfig, lab: Lab) -> JobInstrument:
    """Return a station's instrument: the lab's, or a device of the user's own."""
    if config.device is None:
        return _begun(lab.instrument(name), f"stations.{name}")
    where = f"stations.{name}.device"
    device = load_object(config.device, where, Use.DEVICE, config.settings)
    return _begun(called(device, config.device, where, name=name, clock=lab.clock, **config.settings), where)


def _begun(made: Any, where: str) -> JobInstrument:
    """Return what stands at a station, if it is an instrument that was made as JobInstrument makes it."""
    if not isinstance(made, JobInstrument):
        got = f"the laboratory has a {type(made).__name__} there; needed: an instruments.job_instrument:JobInstrument"
        raise CampaignError([Problem(where, got)])
    if not made.begun:
        advice = "begin it with super().__init__(prefix, name=name, clock=clock, **kwargs)"
        raise CampaignError([Problem(where, f"{type(made).__name__}.__init__ never calls that of its base; {advice}")])
    return made


def recipe(campaign: Campaign, step: StepConfig, candidate: Candidate, instrument: JobInstrument) -> dict[str, Scalar]:
    """Return what a step tells an instrument, in the instrument's units."""
    found: dict[str, Scalar] = {}
    for key, value in step.recipe.items():
        if isinstance(value, str) and value.startswith("$"):
            parameter = campaign.space.all_parameters[value[1:]]
            chosen = candidate.parameters.get(value[1:], parameter.otherwise)
            if chosen is None:
                raise ValueError(f"{value} does not apply to the candidate, and the parameter has no otherwise")
            found[key] = converted(chosen, parameter.unit, key, instrument)
        else:
            found[key] = constant(value, key, instrument)
    return found


def load_analysis(step: StepConfig) -> Callable[..., Any] | None:
    """Return the function that turns a step's raw data into a measurement, or None."""
    if step.analysis is None:
        return None
    settings = step.analysis_settings
    found = load_object(step.analysis, f"workflow.{step.name}.analysis", Use.ANALYSIS, settings)
    return partial(found, **settings) if settings else found
