"""What a search space of Ax cannot express of a campaign's space; known without importing Ax, for ``validate``."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator

from campaigns.constraints import LinearConstraint
from campaigns.spaces.parameters import FloatConfig
from campaigns.spaces.space import SpaceConfig


def inexpressible(space: SpaceConfig) -> Iterator[tuple[str, str]]:
    """Yield what Ax cannot express: the key within ``space``, and what it is and why, in words.

    Ax 1.3 has linear constraints and equalities between numbers that are not on a logarithmic scale. It reads them as
    texts, by sympy, which has functions of its own by names such as ``N``, ``Li`` or ``gamma``.
    """
    for i, constraint in enumerate(space.parsed_constraints):
        if not isinstance(constraint, LinearConstraint):
            yield f"constraints[{i}]", f"constraint {constraint.text}: it is not linear"
        elif logarithmic := [name for name in constraint.coefficients if _logarithmic(space, name)]:
            yield (
                f"constraints[{i}]",
                f"constraint {constraint.text}: {', '.join(logarithmic)} has a logarithmic scale",
            )
        elif names := reserved(constraint.coefficients):
            yield f"constraints[{i}]", f"constraint {constraint.text}: {_misread(names)}"
    for name, mixture in space.mixtures.items():
        if names := reserved(mixture.components):
            yield f"mixtures.{name}", f"total of mixture {name}: {_misread(names)}"
        if mixture.at_most is not None:
            yield (
                f"mixtures.{name}.at_most",
                f"at_most {mixture.at_most} of mixture {name}: Ax's suggestions may hold more components",
            )
    if space.rows is not None:
        yield "rows", f"rows {space.rows.file}: Ax's suggestions may be none of them"


def unsearchable(space: SpaceConfig) -> Iterator[tuple[str, str]]:
    """Yield why Ax's default strategy cannot search a space, as ``inexpressible`` does.

    Ax 1.3 draws its first points by hit and run, where a second equality raises a ValueError.
    """
    yield from inexpressible(space)
    parsed = enumerate(space.parsed_constraints)
    equal = [(f"constraints[{i}]", f"constraint {c.text}") for i, c in parsed if getattr(c, "equal", False)]
    for key, what in [*equal, *((f"mixtures.{name}", f"mixture {name}") for name in space.mixtures)][1:]:
        yield key, f"{what}: Ax's first points keep one equality or mixture, not several"


def inexpressible_bounds(metrics: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the metrics, of those that are constrained, whose constraint Ax cannot read, each with the reason."""
    for metric in reserved(dict.fromkeys(metrics)):
        yield metric, f"outcome constraint on {metric}: {_misread([metric])}"


def reserved(names: Iterable[str]) -> list[str]:
    """Return which names Ax takes for functions, constants or keywords where they stand in a constraint."""
    import sympy  # slow, and asked only where there are constraints

    functions = frozenset((*dir(sympy), *keyword.kwlist))  # a thousand names: listed once for all that are asked about
    return [name for name in names if name in functions]


def _misread(names: Iterable[str]) -> str:
    return f"Ax takes {', '.join(names)} for functions of sympy; a name such as {next(iter(names))}_ is read right"


def _logarithmic(space: SpaceConfig, name: str) -> bool:
    """Return whether a parameter that is not held at one value has a logarithmic scale."""
    parameter = space.all_parameters[name]
    return isinstance(parameter, FloatConfig) and parameter.scale == "log" and parameter.low < parameter.high
