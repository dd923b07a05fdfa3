"""The laboratory as a campaign sees it: which lab, which stations, and the workflow that a trial goes through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from campaigns.config import (
    Config,
    Constant,
    Count,
    DollarsOrSum,
    DottedPath,
    Name,
    Number,
    Seconds,
    SecondsOrSum,
    Unit,
)
from campaigns.constraints import LinearSum, linear_sum
from campaigns.lab.lab_claim import LabClaim
from campaigns.lab.manual_steps import Ask
from campaigns.lab.sample_steps import SampleConfig
from campaigns.lab.setpoints import SetpointConfig

if TYPE_CHECKING:
    from campaigns.lab.lab_rules import LabFileConfig


class FaultConfig(Config):
    """A fault that the virtual lab produces on purpose, to rehearse how the campaign handles it."""

    trial: Annotated[Count, Field(ge=0)]
    """Number of the trial that has the fault."""
    station: Name
    """Station at which it happens."""
    kind: Literal["raise", "hang", "nan", "dead", "block", "place"]
    """raise: the driver raises; hang: it never ends; nan: the data are not finite; dead: the detector returns zeros;
    block: the driver blocks its thread; place: the place of the sample reports an error, at a station with capacity."""


class ProcessesConfig(Config):
    """Compute on this machine, in as many processes as it has cores."""

    kind: Literal["processes"]


class RayConfig(Config):
    """Compute on a Ray cluster whose machines have athanor installed; needs the extra, pip install athanor-sdl[ray]."""

    kind: Literal["ray"]
    address: Annotated[str, Field(pattern=r"^(auto|[\w.-]+:\d+)$")] = "auto"
    """Address of the cluster's head, host:port; auto: the cluster that runs on this machine."""


ComputeConfig = Annotated[ProcessesConfig | RayConfig, Field(discriminator="kind")]


class _LabConfig(Config):
    compute: ComputeConfig = ProcessesConfig(kind="processes")
    """Where the embeddings of structures are computed."""

    _rules: Any = PrivateAttr(default=None)
    _claim: LabClaim = PrivateAttr(default=LabClaim())

    @property
    def rules(self) -> LabFileConfig | None:
        """The lab file that the laboratory stands in; None for one that stands in a campaign."""
        found: LabFileConfig | None = self._rules
        return found

    @property
    def claim(self) -> LabClaim:
        """How the campaign stands beside others on the laboratory."""
        return self._claim

    def ruled_by(self, rules: LabFileConfig | None, claim: LabClaim | None = None) -> Self:
        """Return the laboratory with the rules of a lab file, and a campaign's claim on it."""
        ruled = self.model_copy()
        ruled._rules, ruled._claim = rules, claim or LabClaim()
        return ruled


class VirtualLabConfig(_LabConfig):
    """Simulated instruments on a clock that skips waiting."""

    kind: Literal["virtual"]
    faults: tuple[FaultConfig, ...] = ()
    """Faults to rehearse."""


class EpicsLabConfig(_LabConfig):
    """Furnaces served over EPICS Channel Access on loopback, the other instruments simulated."""

    kind: Literal["epics"]
    speed: Annotated[Number, Field(gt=0)] = 10000.0
    """Seconds of lab time per second of wall time."""


class CustomLabConfig(_LabConfig):
    """Your own laboratory."""

    kind: Literal["custom"]
    factory: DottedPath
    """A function that returns an instruments.lab.Lab."""


class RealLabConfig(_LabConfig):
    """The devices and plans of your stations, on the clock on the wall; nothing is simulated."""

    kind: Literal["real"]
    control_layer: Literal["caproto", "pyepics"] = "caproto"
    """How ophyd speaks EPICS; pyepics needs pip install pyepics."""
    epics_servers: tuple[str, ...] = ()
    """Addresses of EPICS servers (host or host:port), which are asked instead of broadcasting."""
    connection_timeout: Seconds = 10.0
    """Longest time that a device may take to answer when the campaign starts."""


LabConfig = Annotated[VirtualLabConfig | EpicsLabConfig | RealLabConfig | CustomLabConfig, Field(discriminator="kind")]


class DeviceConfig(Config):
    """One of several devices of a station."""

    device: DottedPath
    """Class of an ophyd device, or a device itself, such as ophyd.sim:motor."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the class, such as prefix, the EPICS prefix."""


class StationConfig(Config):
    """One station: the sole owner of its instrument, or of its devices."""

    kind: Literal["furnace", "diffractometer", "cycler", "simulated", "device", "plan", "manual"]
    """The instrument; simulated: an experiment that a function describes; device: ophyd devices of your own; plan: a
    Bluesky plan of your own; manual: a person, who is told what to do, and says when it is done."""
    experiment: DottedPath | None = None
    """What is simulated (kind: simulated): a function without arguments that returns a
    simulators.simulated_experiment.SimulatedExperiment."""
    device: DottedPath | None = None
    """Your device (kind: device): a JobInstrument class, the class of a plain ophyd device, or a device itself, such as
    ophyd.sim:motor."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the class of your device, such as prefix, the EPICS prefix."""
    devices: dict[Name, DeviceConfig] = Field(default_factory=dict)
    """Several plain devices that belong together, such as a motor and a detector; without a plan, all are read."""
    plan: DottedPath | None = None
    """Your Bluesky plan (kind: plan): a generator function of the setpoints, and of devices, token and sample where it
    has arguments of these names. With a capacity above 1 it is a function of samples, and of the setpoints that are
    shared; all others are in the settings of each sample."""
    suspenders: tuple[DottedPath, ...] = ()
    """Functions without arguments that return Bluesky suspenders: one that has tripped lets no job start, and one that
    trips during a job ends it (kind: plan)."""
    process: bool = False
    """Whether your device or plan runs in a process of its own: one that crashes or hangs is started again, and costs
    the job that it was at. In a lab on the clock on the wall."""
    response_timeout: Seconds | None = None
    """Longest time that the process may take for an answer before it is ended; by default 30 s (process: true)."""
    setpoints: dict[Name, SetpointConfig] = Field(default_factory=dict)
    """What a recipe sets of plain devices, in the order in which it is set; the arguments of the plan; or what a person
    may be told (kind: manual), each with unit and limits, or choices."""
    units: dict[Name, Unit] = Field(default_factory=dict)
    """Units of readings of plain devices that state none, by the name of the reading."""
    capacity: Annotated[Count, Field(ge=1)] = 1
    """How many samples one job takes, each at its own place: the crucibles of a furnace, the channels of a cycler."""
    shared: tuple[Name, ...] = ()
    """Settings that are the same for all samples of a job, beside those that the instrument itself cannot tell apart,
    as a furnace its program (capacity above 1)."""
    wait: Seconds | None = None
    """Longest time that samples wait for others to fill the places, in lab time; by default as long as others can still
    come (capacity above 1)."""

    @model_validator(mode="after")
    def _places(self) -> Self:
        useless = ["shared"] * bool(self.shared) + ["wait"] * (self.wait is not None)
        if self.capacity == 1 and useless:
            raise ValueError(f"{useless[0]} is of stations that take several samples; add capacity, or remove it")
        return self

    @property
    def own(self) -> tuple[str, ...]:
        """The setpoints that each sample of a load has for itself; empty where a job takes one sample."""
        return tuple(key for key in self.setpoints if self.capacity > 1 and key not in self.shared)

    @property
    def bound(self) -> dict[str, DeviceConfig]:
        """Name to device, of one or several; empty at stations of other kinds."""
        if self.device is not None:
            return {"device": DeviceConfig(device=self.device, settings=self.settings)}
        return self.devices

    def place_of(self, key: str, station: str) -> str:
        """Return where in the campaign file the dotted path of one of a station's devices stands."""
        return f"stations.{station}.device" if self.device is not None else f"stations.{station}.devices.{key}.device"


class StepConfig(Config):
    """One step of a trial's workflow."""

    name: Name
    """Name of the step."""
    stations: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Stations that can do it; the first free one takes the trial."""
    recipe: dict[Name, Constant] = Field(default_factory=dict)
    """Settings of the instrument: $name for a parameter, else a constant (text with a unit is converted)."""
    analysis: DottedPath | None = None
    """The function that turns the raw data into metrics."""
    analysis_settings: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the analysis. Those of diffraction: radiation, a tube by name (CuKa, CoKa, MoKa, ...; CuKa1
    where K-alpha-2 is stripped) or a wavelength (0.4133 Å, 30 keV), by default CuKa; exclude, ranges of 2 theta in
    deg to leave out."""
    analysis_timeout: Annotated[Seconds, Field(gt=0)] = 300.0
    """Longest time on the wall that an analysis of your own may take. It runs in a process of its own: one that takes
    longer, exits or crashes costs its trial only."""
    gives: tuple[Name, ...] = ()
    """Measured metrics that the analysis returns."""
    sample: SampleConfig = Field(default_factory=SampleConfig)
    """What the step does with the sample."""
    uses: dict[Name, Constant] = Field(default_factory=dict)
    """Consumable of the lab file to how much of it one job uses: a quantity, or a sum of parameters in its unit."""
    timeout: Seconds
    """Longest time the step may take, in lab time."""
    cost: DollarsOrSum = 0.0
    """Cost of one run of the step: a quantity, or a sum of parameters in USD (each in its own unit), such as
    2 + 0.5 * time."""
    duration: SecondsOrSum | None = None
    """Expected duration of the step, for cost-aware choices, and for the next load to be suggested in time: a quantity,
    or a sum of parameters in s. A manual step takes as long in a simulated lab."""
    instructions: str = ""
    """What a person is told (stations of kind manual), with {sample}, {material}, {settings}, or the name of a setting
    in braces, for what they are."""
    asks: dict[Name, Ask] = Field(default_factory=dict)
    """Name to what the person enters when it is done: a unit (mg), text, or a mapping. These are the readings of the
    step, which an analysis takes as those of any instrument."""

    def cost_of(self, parameters: Mapping[str, float | int | str]) -> float:
        """Return what one run costs with these parameters, in USD."""
        return _amount(self.cost, parameters)

    def duration_of(self, parameters: Mapping[str, float | int | str]) -> float:
        """Return how long one run is expected to take with these parameters, in s; 0 where nothing is said."""
        return _amount(self.duration or 0.0, parameters)

    @property
    def fixed_cost(self) -> float:
        """What one run costs in USD where that does not depend on the parameters, else 0."""
        return 0.0 if isinstance(self.cost, str) else self.cost

    @property
    def sums(self) -> dict[str, LinearSum]:
        """The key of what depends on parameters to how it does."""
        given = {"cost": self.cost, "duration": self.duration}
        return {key: linear_sum(value) for key, value in given.items() if isinstance(value, str)}


def _amount(given: float | str, parameters: Mapping[str, float | int | str]) -> float:
    return max(linear_sum(given)(parameters), 0.0) if isinstance(given, str) else given
