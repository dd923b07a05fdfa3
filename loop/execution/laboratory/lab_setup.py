"""From a campaign to its laboratory: instruments, analyses, and each step's recipe in the instruments' units."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from campaigns.campaign import Campaign
from campaigns.checks.manual_consistency import MANUAL
from campaigns.errors import CampaignError, LabError, NoAnswerError, Problem, called
from campaigns.lab.lab_file import FileLabConfig
from campaigns.lab.lab_rules import LabStationConfig
from campaigns.lab.laboratory import (
    CustomLabConfig,
    EpicsLabConfig,
    RealLabConfig,
    StationConfig,
    StepConfig,
    VirtualLabConfig,
)
from campaigns.user_code.dotted_paths import Use
from campaigns.user_code.loading import is_job_instrument, load_object
from campaigns.user_code.module_files import opened
from campaigns.values import Candidate, Scalar
from instruments.construction_guard import nothing_moves
from instruments.devices.driver_process import DriverProcess
from instruments.devices.epics_signal import use_control_layer
from instruments.devices.process_instrument import ProcessInstrument
from instruments.devices.question_line import ANSWERING
from instruments.job_instrument import JobInstrument
from instruments.job_memory import JobMemory
from instruments.lab import Lab
from instruments.real_lab import RealLab
from instruments.run_context import RunContext
from instruments.step_errors import is_silence, reason_of
from loop.execution.laboratory.device_binding import (
    CONNECTING,
    JobRecords,
    bound_instrument,
    load_devices,
    memory_folder,
)
from loop.execution.laboratory.manual_stations import manual_instrument
from loop.storage.integrity.witnesses import lab_folder
from loop.validation.limit_checks import HasLimits, constant, converted

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
        case CustomLabConfig() | RealLabConfig() as config:
            return real_lab(config, start)
        case FileLabConfig(path=path):
            raise CampaignError([Problem("lab.path", f"{path} was not read, as the campaign's folder is not known")])
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


def real_lab(config: CustomLabConfig | RealLabConfig, start: float) -> Lab:
    """Return a laboratory of the user's own, or that of the devices that the stations name.

    EPICS is set up before any of these is made.
    """
    if isinstance(config, CustomLabConfig):
        factory = config.factory
        return _lab(called(load_object(factory, "lab.factory", Use.LAB), factory, "lab.factory"), factory)
    use_control_layer(config.control_layer, config.epics_servers)
    return RealLab(start)


def build_instruments(
    campaign: Campaign, lab: Lab, store: Path, context: RunContext, *, begun: bool = False
) -> tuple[dict[str, JobInstrument], dict[str, LabError]]:
    """Return station to its instrument; and each station that has none any more to why, if the campaign has begun.

    Args:
        campaign: its stations.
        lab: what stands at those that name no device of the user's own.
        store: the campaign's store, beside which devices that remember no jobs have them remembered.
        context: what the runs of plans have in common.
        begun: whether to go on without the stations that do not answer, or that the lab has no more.

    Raises:
        LabError: there is no instrument at a station of a campaign that has not begun.
    """
    found: dict[str, JobInstrument] = {}
    absent: dict[str, LabError] = {}
    for name in campaign.stations:
        try:
            found[name] = station_instrument(campaign, name, lab, (store, context))
        except LabError as error:
            if not begun:
                raise
            absent[name] = error
    return found, absent


def station_instrument(campaign: Campaign, name: str, lab: Lab, kept: tuple[Path, RunContext]) -> JobInstrument:
    """Return the instrument of one station, given the store and what runs have in common; see ``build_instruments``.

    Raises:
        NoAnswerError: it does not answer.
        LabError: the laboratory has none.
    """
    store, context = kept
    patience = getattr(campaign.lab, "connection_timeout", CONNECTING)
    config_of_lab = campaign.lab if isinstance(campaign.lab, RealLabConfig) else None
    records = JobRecords(lab_folder(store), patience, context, config_of_lab)
    config = campaign.stations[name]
    made = manual_instrument(campaign, name, lab.clock, records) if config.kind == MANUAL else None
    return checked_places(name, config, made or build_instrument(name, config, lab, records))


def checked_places(name: str, config: StationConfig, made: JobInstrument) -> JobInstrument:
    """Return a station's instrument, if it takes as many samples for a job as the campaign says.

    Raises:
        CampaignError: it takes fewer.
    """
    if config.capacity > made.place_count:
        allowed = f"allowed: at most {made.place_count}, as {type(made).__name__} has place_count places"
        raise CampaignError([Problem(f"stations.{name}.capacity", f"got {config.capacity}; {allowed}")])
    return made


def build_instrument(name: str, config: StationConfig, lab: Lab, records: JobRecords) -> JobInstrument:
    """Return a station's instrument: the lab's, a job instrument of the user's own, or one made of plain devices.

    Raises:
        CampaignError: it cannot be made.
        NoAnswerError: it does not answer.
        LabError: the laboratory has none.
    """
    guarded = isinstance(config, LabStationConfig)
    try:
        with nothing_moves() if guarded else nullcontext():
            return _built(name, config, lab, records)
    except Exception as error:
        cause = error.__cause__ if isinstance(error, CampaignError) and error.__cause__ is not None else error
        if not is_silence(cause):
            raise
        raise NoAnswerError(f"{name} does not answer: {reason_of(cause)}") from error


def _built(name: str, config: StationConfig, lab: Lab, records: JobRecords) -> JobInstrument:
    if not config.bound and config.plan is None:
        return _begun(lab.instrument(name), f"stations.{name}")
    if config.process:
        return _in_process(name, config, lab, records)
    found = load_devices(name, config)
    where = f"stations.{name}.device"
    if config.device is not None and config.plan is None and is_job_instrument(found["device"]):
        device = found["device"]
        memory = {} if device.remembers_jobs else {"job_memory": JobMemory(memory_folder(records.state, name))}
        made = called(device, config.device, where, name=name, clock=lab.clock, **memory, **config.settings)
        return _answering(_begun(made, where), config.device, records.patience)
    made = bound_instrument((name, config), found, lab.clock, records)
    if isinstance(lab, RealLab):
        lab.on_close(made.close)
    return made


def _in_process(name: str, config: StationConfig, lab: Lab, records: JobRecords) -> JobInstrument:
    """Return a station's instrument whose driver runs in a process of its own.

    Raises:
        CampaignError, LabError: the driver cannot be built there.
    """
    from loop.execution.laboratory.driver_server import (  # which builds its instrument by this module
        PROGRAM,
        DriverOrder,
    )

    alone, context = config.model_copy(update={"process": False}), records.context
    place = (records.lab, opened(), records.state, records.patience)
    order = DriverOrder(name, alone, *place, context.start, lab.clock.now())
    log = records.state.with_suffix(".drivers") / f"{name}.log"
    driver = DriverProcess(PROGRAM, order, log, config.response_timeout or ANSWERING, context)
    if isinstance(lab, RealLab):
        lab.on_close(driver.close)
    try:
        facts = driver.call("facts")
    except ConnectionError as error:
        raise NoAnswerError(f"{name}: {error}") from error
    return ProcessInstrument.of(facts)(name=name, clock=lab.clock, driver=driver)


def _answering(made: JobInstrument, path: str, patience: float) -> JobInstrument:
    """Return an instrument once its signals are connected, as those over EPICS are some time after it was made.

    Raises:
        NoAnswerError: they are not in time.
    """
    try:
        made.wait_for_connection(timeout=patience)
    except TimeoutError as error:
        made.destroy()
        raise NoAnswerError(f"{made.name} ({path}) does not answer within {patience:g} s: {error}") from error
    return made


def _begun(made: Any, where: str) -> JobInstrument:
    """Return what stands at a station, if it is an instrument that was made as JobInstrument makes it."""
    if not isinstance(made, JobInstrument):
        got = f"the laboratory has a {type(made).__name__} there; needed: an instruments.job_instrument:JobInstrument"
        raise CampaignError([Problem(where, got)])
    if not made.begun:
        advice = "begin it with super().__init__(prefix, name=name, clock=clock, **kwargs)"
        raise CampaignError([Problem(where, f"{type(made).__name__}.__init__ never calls that of its base; {advice}")])
    return made


def recipe(campaign: Campaign, step: StepConfig, candidate: Candidate, instrument: HasLimits) -> dict[str, Scalar]:
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
