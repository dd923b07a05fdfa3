"""A campaign: one validated file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from campaigns.config import STRATEGY_PATTERN, Config, Count, Dollars, Name, Number, Seconds
from campaigns.consistency import cross_check
from campaigns.errors import CampaignError
from campaigns.fidelity import ComputedFidelityConfig, FidelityConfig, MeasuredFidelityConfig
from campaigns.laboratory import LabConfig, StationConfig, StepConfig
from campaigns.metrics import ComputedConfig, MeasuredConfig, MetricConfig
from campaigns.objective import Objective, ObjectiveConfig, build_objective
from campaigns.spaces.space import SpaceConfig
from campaigns.surrogate import SurrogateConfig
from campaigns.warm_start import WarmStartConfig


class BudgetConfig(Config):
    """What may be spent; the campaign stops at the first limit that is reached."""

    trials: Annotated[Count, Field(gt=0)]
    """Number of trials at full fidelity."""
    wall_time: Seconds | None = None
    """Time on the wall clock, over all sessions."""
    cost: Dollars | None = None
    """Cost of all steps."""


class TargetRuleConfig(Config):
    """Stop when a measured candidate is sure enough to have reached a score, and to keep the constraints."""

    kind: Literal["target"]
    score: Number
    """The score that is good enough."""
    confidence: Annotated[Number, Field(gt=0, lt=1)] = 0.5
    """The probability that suffices, by all that was measured: noisy readings that are high by luck do not count."""


class NoBetterRuleConfig(Config):
    """Stop when it is unlikely that there is a candidate that is better than the best measured one."""

    kind: Literal["no_better"]
    improvement: Annotated[Number, Field(gt=0)]
    """By how much better, in score, a candidate must be to be worth looking for."""
    probability: Annotated[Number, Field(gt=0, lt=1)] = 0.05
    """The probability that there is one, below which it is not looked for, time after time."""


class HypervolumeRuleConfig(Config):
    """Stop when the front dominates a volume; every term must have a reference, from which it is measured."""

    kind: Literal["hypervolume"]
    reaches: Annotated[Number, Field(gt=0)]
    """The volume that is good enough: a product of points, one factor per term."""


class StagnationRuleConfig(Config):
    """Stop when the best score, or the front, has not improved for a while."""

    kind: Literal["stagnation"]
    trials: Annotated[Count, Field(gt=0)]
    """Number of trials without improvement."""
    improvement: Annotated[Number, Field(ge=0)] = 0.0
    """The smallest gain that counts: in score, or of a front in the volume that it dominates (a product of points)."""


StoppingRuleConfig = Annotated[
    TargetRuleConfig | NoBetterRuleConfig | HypervolumeRuleConfig | StagnationRuleConfig, Field(discriminator="kind")
]


class PlannerConfig(Config):
    """How candidates are chosen."""

    initial: Annotated[Count, Field(gt=1)] = 10
    """Space-filling trials before the models choose."""
    strategy: Annotated[str, Field(pattern=STRATEGY_PATTERN)] | None = None
    """ax: Ax's own default generation strategy. Or a function such as mylab:strategy, which takes the campaign's
    ax.core.experiment:Experiment and returns a GenerationStrategy of Ax, or a list of its nodes. Without it, the nodes
    of Athanor choose."""
    timeout: Seconds | None = None
    """Longest time that the strategy may take whenever it is asked, on the clock of this machine; 10 min unless
    given."""
    cost: Literal["aware", "blind"] | None = None
    """aware: gains are weighed against what a candidate costs and how long it takes, less and less as the budget is
    spent. Without it, that is so where cost or duration of a step depends on parameters, unless many are wanted."""


class Campaign(Config):
    """What to search for, what counts as good, where to measure it, and when to stop."""

    name: Name
    """Name of the campaign; the store and the report carry it."""
    description: str = ""
    """One or two sentences for the report."""
    seed: Annotated[Count, Field(ge=0)]
    """Seed of everything random: same campaign, same seed, same trials."""
    space: SpaceConfig
    """What may be chosen."""
    metrics: Annotated[dict[Name, MetricConfig], Field(min_length=1)]
    """What is known of a candidate, each with its unit."""
    objective: ObjectiveConfig
    """What makes a candidate good: terms of the score, and bounds."""
    surrogate: SurrogateConfig = SurrogateConfig()
    """What the models see of a crystal; for campaigns with a pool."""
    planner: PlannerConfig = PlannerConfig()
    """How candidates are chosen, and how many before the models choose."""
    warm_start: tuple[WarmStartConfig, ...] = ()
    """Other campaigns and tables to learn from; each is used for a metric only where that explains it better. What was
    measured with these very instruments stands under history."""
    history: tuple[WarmStartConfig, ...] = ()
    """What was measured before: its rows are trials of this campaign, at no cost to its budget. Rows that are added
    later are taken over by the next run."""
    lab: LabConfig
    """Which laboratory."""
    stations: Annotated[dict[Name, StationConfig], Field(min_length=1)]
    """Name to station."""
    workflow: Annotated[tuple[StepConfig, ...], Field(min_length=1)]
    """The steps of every trial, in order."""
    fidelities: dict[Name, FidelityConfig] = Field(default_factory=dict)
    """Name to a cheaper version of some metrics; the planner decides which to buy, by their costs."""
    budget: BudgetConfig
    """What may be spent."""
    stopping: tuple[StoppingRuleConfig, ...] = ()
    """Further rules to stop by."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = cross_check({name: getattr(self, name) for name in type(self).model_fields})
        if problems:
            raise CampaignError(problems)
        return self

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
        """The metrics that need no experiment."""
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
