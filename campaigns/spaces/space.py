"""The search space: parameters, mixtures, constraints between them, a table of what may be chosen, and a pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from campaigns.config import Config, Name
from campaigns.constraints import Constraint, LinearConstraint, constraint
from campaigns.errors import PlacedError
from campaigns.pool_source import PoolConfig
from campaigns.spaces.allowed_settings import RowsConfig, read_rows
from campaigns.spaces.linear_system import LinearSystem, sum_of
from campaigns.spaces.mixtures import MixtureConfig
from campaigns.spaces.parameters import CategoricalConfig, ParameterConfig
from campaigns.spaces.settings_table import Table
from campaigns.spaces.space_validation import contradictions
from campaigns.values import Candidate, Scalar

if TYPE_CHECKING:
    from campaigns.lab.combinations import Combination


class SpaceConfig(Config):
    """What may be chosen: parameters, mixtures, constraints between them, and optionally a pool."""

    parameters: dict[Name, ParameterConfig] = Field(default_factory=dict)
    """Name to parameter; leave it out if only materials or mixtures are chosen."""
    mixtures: dict[Name, MixtureConfig] = Field(default_factory=dict)
    """Name to mixture; each component is a parameter with its own name."""
    constraints: tuple[Annotated[str, AfterValidator(lambda text: constraint(text).text)], ...] = ()
    """Constraints between numeric parameters, each in its own unit: 'temperature + 10 * time <= 1300',
    'a + 2 * b == 1', 'temperature * log(time) <= 5e4'."""
    rows: RowsConfig | None = None
    """A table of the only settings that may be chosen; without it, all settings within the bounds."""
    pool: PoolConfig | None = None
    """Candidate materials; leave it out if only process parameters are chosen."""

    _forbidden: tuple[Combination, ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _something_to_choose(self) -> Self:
        if not self.parameters and not self.mixtures and self.pool is None:
            raise ValueError("got neither parameters, mixtures nor a pool; needed: at least one of them")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if problems := contradictions(self):
            raise PlacedError(problems)
        return self

    def __copy__(self) -> Self:
        """Return a copy without what was worked out, as ``model_copy`` may change what it follows from."""
        copied = super().__copy__()
        for name in ("all_parameters", "parsed_constraints", "system", "table"):
            copied.__dict__.pop(name, None)
        return copied

    @cached_property
    def all_parameters(self) -> dict[str, ParameterConfig]:
        """The parameters, and the components of the mixtures."""
        shares = {name: share for mixture in self.mixtures.values() for name, share in mixture.parameters.items()}
        return {**self.parameters, **shares}

    @cached_property
    def parsed_constraints(self) -> tuple[Constraint, ...]:
        """The constraints, ready to be evaluated."""
        return tuple(constraint(text) for text in self.constraints)

    @property
    def linear_constraints(self) -> tuple[LinearConstraint, ...]:
        """The linear constraints as coefficients."""
        return tuple(c for c in self.parsed_constraints if isinstance(c, LinearConstraint))

    @cached_property
    def system(self) -> LinearSystem:
        """The linear constraints and the totals of the mixtures, as matrices over the numbers in them."""
        sums = [sum_of(name, mixture) for name, mixture in self.mixtures.items()]
        rows = [*self.linear_constraints, *sums]
        names = dict.fromkeys(n for row in rows for n in row.names)
        spans = {n: (float(p.at(0.0)), float(p.at(1.0))) for n, p in self.all_parameters.items() if n in names}
        return LinearSystem.of(rows, spans)

    @cached_property
    def table(self) -> Table | None:
        """The only settings that may be chosen, or None.

        Raises:
            CampaignError: the file cannot be read, or does not fit.
        """
        found = None if self.rows is None else read_rows(self, self.rows)
        if found is None or not self._forbidden:
            return found
        return found.take(np.array([not self.forbids(Candidate(row)) for row in found]))

    def of_rows(self, table: Table) -> Self:
        """Return the space with some of the rows of its table only."""
        found = self.model_copy()
        found.__dict__["table"] = table
        return found

    @property
    def forbidden(self) -> tuple[Combination, ...]:
        """The combinations that the laboratory forbids."""
        return self._forbidden

    def forbid(self, forbidden: tuple[Combination, ...]) -> None:
        """Take note of what the laboratory forbids."""
        self._forbidden = forbidden
        self.__dict__.pop("table", None)

    def forbids(self, candidate: Candidate) -> bool:
        """Return whether the laboratory forbids a candidate, whose material may be left open."""
        applying = self.present(candidate.parameters) if self._forbidden else {}
        return any(one.broken(applying, candidate.material) for one in self._forbidden)

    def present(self, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Return the values of the parameters that apply, in the order of the parameters."""
        return {n: values[n] for n, p in self.all_parameters.items() if not p.when or self._applies(n, values)}

    def _applies(self, name: str, values: Mapping[str, Scalar]) -> bool:
        conditions = self.all_parameters[name].when.items()
        return all(self._applies(parent, values) and values[parent] in levels for parent, levels in conditions)

    def applies(self, name: str, columns: Mapping[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
        """Return where a parameter applies, n, by the columns of a table of n rows."""
        count = len(next(iter(columns.values())))
        found = np.full(count, True)
        for parent, levels in self.all_parameters[name].when.items():
            found &= self.applies(parent, columns) & np.isin(columns[parent], _codes(self.parameters[parent], levels))
        return found

    def allows(self, parameters: Mapping[str, Scalar]) -> bool:
        """Return whether the values lie in the space: what applies in its bounds, every constraint kept."""
        if not set(parameters) <= set(self.all_parameters):
            return False
        try:
            applying = self.present(parameters)
        except KeyError:
            return False
        if len(applying) != len(parameters):
            return False
        if not all(self.all_parameters[name].contains(value) for name, value in parameters.items()):
            return False
        if not bool(self.keeping([parameters])[0]):
            return False
        return self.table is None or self.table.place(parameters) is not None

    def keeping(self, settings: Sequence[Mapping[str, Scalar]]) -> NDArray[np.bool_]:
        """Return which settings, n, keep the totals and limits of the mixtures and all constraints."""
        rules: list[Any] = [*(m.allows for m in self.mixtures.values()), *(c.keeps for c in self.parsed_constraints)]
        names = {n for m in self.mixtures.values() for n in m.components}
        names |= {n for c in self.parsed_constraints for n in c.names}
        columns = {name: np.array([setting[name] for setting in settings], dtype=float) for name in names}
        kept = np.full(len(settings), True)
        for rule in rules:
            kept &= rule(columns)
        if self._forbidden:
            kept &= np.array([not self.forbids(Candidate(one)) for one in settings], dtype=bool)
        return kept

    def contains(self, candidate: Candidate) -> bool:
        """Return whether a candidate lies in the space (the pool's ids are not known here)."""
        fits = self.allows(candidate.parameters) and (candidate.material is not None) == (self.pool is not None)
        return fits and not self.forbids(candidate)


def _codes(parameter: ParameterConfig, levels: Sequence[Scalar]) -> list[float]:
    """Return levels as they stand in a table."""
    if isinstance(parameter, CategoricalConfig):
        return [float(parameter.levels.index(str(level))) for level in levels]
    return [float(level) for level in levels]
