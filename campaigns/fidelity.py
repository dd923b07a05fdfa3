"""Cheaper versions of a campaign's metrics: a shorter workflow, or a computation for one candidate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from campaigns.config import Config, Dollars, DottedPath, Name
from campaigns.lab.laboratory import StepConfig

FULL = "full"
"""The fidelity of the campaign's workflow: what counts in the end."""


class MeasuredFidelityConfig(Config):
    """A cheaper measurement, such as a quick scan, with its own workflow."""

    kind: Literal["measured"]
    workflow: Annotated[tuple[StepConfig, ...], Field(min_length=1)]
    """Its steps, in order, with costs; a metric that they give is a cheaper version of the metric of that name."""

    @property
    def gives(self) -> tuple[str, ...]:
        """The metrics of which it is a cheaper version."""
        return tuple(name for step in self.workflow for name in step.gives)

    @property
    def cost(self) -> float:
        """What one trial costs in USD."""
        return sum(step.fixed_cost for step in self.workflow)


class ComputedFidelityConfig(Config):
    """A computation for one candidate at a time; the session waits for it."""

    kind: Literal["computed"]
    function: DottedPath
    """A function of candidate and structure (None without a pool) that returns a campaigns.values.MetricValue."""
    gives: Annotated[tuple[Name], Field()]
    """The metric of which it is a cheaper version."""
    cost: Dollars
    """Cost of one computation."""


FidelityConfig = Annotated[MeasuredFidelityConfig | ComputedFidelityConfig, Field(discriminator="kind")]


def all_steps(
    workflow: Sequence[StepConfig], fidelities: Mapping[str, MeasuredFidelityConfig | ComputedFidelityConfig]
) -> Iterator[tuple[str, StepConfig]]:
    """Yield the steps of all fidelities, each with its key path in the campaign file."""
    for i, step in enumerate(workflow):
        yield f"workflow[{i}]", step
    for name, config in fidelities.items():
        if isinstance(config, MeasuredFidelityConfig):
            for i, step in enumerate(config.workflow):
                yield f"fidelities.{name}.workflow[{i}]", step


def cheap_name(fidelity: str, metric: str) -> str:
    """Return what the record of a trial at a lower fidelity calls a metric, so that nobody takes it for the metric."""
    return f"{fidelity}.{metric}"
