"""A campaign: one validated file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from campaigns.checks.consistency import cross_check
from campaigns.config import STRATEGY_PATTERN, Config, Count, Dollars, DottedPath, Name, Number, Seconds
from campaigns.errors import CampaignError
from campaigns.fidelity import ComputedFidelityConfig, FidelityConfig, MeasuredFidelityConfig
from campaigns.lab.by_hand import with_bench, with_entries
from campaigns.lab.combinations import combinations
from campaigns.lab.lab_claim import LabClaim
from campaigns.lab.lab_file import CampaignLabConfig
from campaigns.lab.lab_rules import LabFileConfig
from campaigns.lab.laboratory import StationConfig, StepConfig
from campaigns.lab.request_limits import RequestsConfig
from campaigns.metrics import ComputedConfig, MeasuredConfig, MetricConfig
from campaigns.objective import Objective, ObjectiveConfig, build_objective
from campaigns.spaces.space import SpaceConfig
from campaigns.surrogate import SurrogateConfig
from campaigns.warm_start import WarmStartConfig


class BudgetConfig(Config):
    """Limits on trials, time and cost; the campaign stops at the first that is reached."""

    trials: Annotated[Count, Field(gt=0)]
    """Number of trials at full fidelity."""
    wall_time: Seconds | None = None
    """Time on the wall clock, over all sessions."""
    cost: Dollars | None = None
    """Cost of all steps."""


class TargetRuleConfig(Config):
    """Stop when a measured candidate has probably reached a score, and satisfies the constraints."""

    kind: Literal["target"]
    score: Number
    """The score that is good enough."""
    confidence: Annotated[Number, Field(gt=0, lt=1)] = 0.5
    """Required probability, from all measurements: one noisy reading that is high by chance does not count."""


class NoBetterRuleConfig(Config):
    """Stop when it is unlikely that a better candidate than the best measured one exists."""

    kind: Literal["no_better"]
    improvement: Annotated[Number, Field(gt=0)]
    """Smallest gain in score that is worth further trials."""
    probability: Annotated[Number, Field(gt=0, lt=1)] = 0.05
    """Stop once the probability that such a candidate exists stays below this value, trial after trial."""


class HypervolumeRuleConfig(Config):
    """Stop when the front dominates a given volume; every term needs a reference, from which it is measured."""

    kind: Literal["hypervolume"]
    reaches: Annotated[Number, Field(gt=0)]
    """The volume to reach: a product of points, one factor per term."""


class StagnationRuleConfig(Config):
    """Stop when the best score, or the front, has not improved for a while."""

    kind: Literal["stagnation"]
    trials: Annotated[Count, Field(gt=0)]
    """Number of trials without improvement."""
    improvement: Annotated[Number, Field(ge=0)] = 0.0
    """Smallest gain that counts: in score or, for a front, in the dominated volume (a product of points)."""


StoppingRuleConfig = Annotated[
    TargetRuleConfig | NoBetterRuleConfig | HypervolumeRuleConfig | StagnationRuleConfig, Field(discriminator="kind")
]


class PlannerConfig(Config):
    """How candidates are chosen."""

    initial: Annotated[Count, Field(ge=2)] = 10
    """Space-filling trials before the models choose."""
    strategy: Annotated[str, Field(pattern=STRATEGY_PATTERN)] | None = None
    """ax: Ax's default generation strategy. Or a function such as mylab:strategy, which takes the campaign's
    ax.core.experiment:Experiment and returns an Ax GenerationStrategy, or a list of nodes. Without it, Athanor's own
    nodes choose."""
    timeout: Seconds | None = None
    """Longest time that one call of the strategy may take, on this machine's clock; by default 10 min."""
    cost: Literal["aware", "blind"] | None = None
    """aware: expected gain is divided by cost and duration, less strongly as the budget is spent; blind: it is not.
    Default: aware if the cost or duration of a step depends on parameters, except for find: {kind: many}."""


class Campaign(Config):
    """What to search for, what counts as good, where to measure it, and when to stop."""

    model_config = ConfigDict(validate_default=True)  # stations that a lab file has

    name: Name
    """Name of the campaign, shown in the store and the report."""
    description: str = ""
    """One or two sentences for the report."""
    seed: Annotated[Count, Field(ge=0)]
    """Seed of all random numbers: same campaign, same seed, same trials."""
    space: SpaceConfig
    """The search space, with parameters, mixtures, constraints or a pool of materials."""
    metrics: Annotated[dict[Name, MetricConfig], Field(min_length=1)]
    """Name to metric: what is measured, computed or derived for each candidate, with its unit."""
    objective: ObjectiveConfig
    """What makes a candidate good: terms of the score, and constraints."""
    surrogate: SurrogateConfig = SurrogateConfig()
    """What the models see of a crystal; for campaigns with a pool."""
    planner: PlannerConfig = PlannerConfig()
    """How candidates are chosen, and how many trials the initial design has."""
    warm_start: tuple[WarmStartConfig, ...] = ()
    """Other campaigns and tables to learn from; each is used for a metric only where it improves the model. What the
    same instruments measured belongs under history."""
    history: tuple[WarmStartConfig, ...] = ()
    """Earlier measurements, whose rows become trials of this campaign at no cost to its budget. The next run imports
    rows that are added later."""
    lab: CampaignLabConfig
    """The laboratory: virtual, epics, real or custom, or a file that says which, with its stations. A campaign without
    lab, stations and workflow is done by hand: people make and measure each sample, and enter the metrics."""
    stations: dict[Name, StationConfig] = Field(default_factory=dict)
    """Name to station: the instruments that do the steps. A lab file has them itself."""
    workflow: Annotated[tuple[StepConfig, ...], Field(min_length=1)]
    """The steps of every trial, in order."""
    fidelities: dict[Name, FidelityConfig] = Field(default_factory=dict)
    """Name to a cheaper version of some metrics; the planner decides by their costs when to use one."""
    subscribers: tuple[DottedPath, ...] = ()
    """Bluesky callbacks of your own, which get all documents as they come: functions of name and document, objects that
    can be called so, or classes of such, without arguments. One that raises costs a warning."""
    requests: RequestsConfig = RequestsConfig()
    """What becomes of what people are asked, such as about an uncertain trial, and do not answer; see operators.md."""
    budget: BudgetConfig
    """Limits on trials, time and cost, at which the campaign stops."""
    stopping: tuple[StoppingRuleConfig, ...] = ()
    """Rules that stop the campaign before the budget is spent."""

    @field_validator("stations", mode="after")
    @classmethod
    def _of_lab_file(cls, stations: dict[str, StationConfig], info: ValidationInfo) -> dict[str, StationConfig]:
        """Return the stations of the lab file where there is one."""
        return stations_of(info.data.get("lab"), stations)

    @model_validator(mode="before")
    @classmethod
    def _by_hand(cls, data: Any) -> Any:
        """Return the sections, with a bench where there is no laboratory."""
        return with_bench(data)

    @field_validator("workflow", mode="after")
    @classmethod
    def _entered(cls, workflow: tuple[StepConfig, ...], info: ValidationInfo) -> tuple[StepConfig, ...]:
        """Return the steps, with what people enter."""
        return with_entries(workflow, info.data.get("stations", {}), info.data.get("metrics", {}))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = cross_check({name: getattr(self, name) for name in type(self).model_fields})
        if problems:
            raise CampaignError(problems)
        rules = self.rules
        if rules is not None:
            self.space.forbid(combinations(rules, self.steps, self.space.all_parameters))
        return self

    @property
    def rules(self) -> LabFileConfig | None:
        """What nobody may tell the stations; None where no lab file says so."""
        return getattr(self.lab, "rules", None)

    @property
    def claim(self) -> LabClaim:
        """How the campaign stands beside others on its laboratory."""
        found: LabClaim = getattr(self.lab, "claim", LabClaim())
        return found

    def build_objective(self) -> Objective:
        """Return the objective with every number in the unit of its metric."""
        return build_objective(self.objective, self.metrics)

    @property
    def measured(self) -> dict[str, MeasuredConfig]:
        """The metrics that the lab measures and the surrogates learn."""
        return {n: m for n, m in self.metrics.items() if isinstance(m, MeasuredConfig)}

    @property
    def needed(self) -> frozenset[str]:
        """The measured metrics without which a trial has no score, or a constraint cannot be judged."""
        measured, names = self.measured, self.build_objective().needed
        while wholes := {m.proportional_to for n in names if (m := measured.get(n)) and m.proportional_to} - names:
            names |= {name for name in wholes if name}
        return frozenset(names & measured.keys())

    @property
    def computed(self) -> dict[str, ComputedConfig]:
        """The metrics that need no measurement."""
        return {n: m for n, m in self.metrics.items() if isinstance(m, ComputedConfig)}

    def step(self, name: str) -> StepConfig:
        """Return the step of that name, of the workflow or of a lower fidelity."""
        return next(s for s in self.steps if s.name == name)

    @property
    def steps(self) -> tuple[StepConfig, ...]:
        """The steps of all fidelities."""
        return (*self.workflow, *(step for name in self.fidelities for step in self.workflow_of(name)))

    @property
    def computations(self) -> tuple[str, ...]:
        """The fidelities that need no station."""
        return tuple(n for n, c in self.fidelities.items() if isinstance(c, ComputedFidelityConfig))

    def workflow_of(self, fidelity: str) -> tuple[StepConfig, ...]:
        """Return the steps of a fidelity; a computed one has none."""
        match self.fidelities.get(fidelity):
            case None:
                return self.workflow
            case MeasuredFidelityConfig(workflow=workflow):
                return workflow
            case ComputedFidelityConfig():
                return ()

    def cost_of(self, fidelity: str) -> float:
        """Return what a trial at a fidelity costs in USD."""
        lower = self.fidelities.get(fidelity)
        return sum(step.fixed_cost for step in self.workflow) if lower is None else lower.cost


def stations_of(lab: Any, stations: dict[str, StationConfig]) -> dict[str, StationConfig]:
    """Return a campaign's stations: those of its lab file where it has one."""
    rules: LabFileConfig | None = getattr(lab, "rules", None)
    return stations if rules is None or stations else dict(rules.stations)
