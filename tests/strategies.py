"""Hypothesis strategies for what stands in a campaign file: parameters, spaces, metrics, objectives, campaigns."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

# The same examples on every machine, however slow it is today.
settings.register_profile("athanor", deadline=None, derandomize=True, database=None)
settings.load_profile("athanor")


UNITS = ["degC", "K", "h", "eV", "eV/atom", "mAh/g", "V", "Wh/kg", "USD/kg", "percent", "degC/min", "1"]
METRIC_UNITS = ["eV", "eV/atom", "mAh/g", "V", "Wh/kg", "USD/kg", "percent", "1"]

fractions = st.floats(0.0, 1.0)
units = st.sampled_from(UNITS)


def numbers(low: float = -1e4, high: float = 1e4) -> st.SearchStrategy[float]:
    """Return numbers that a person would write: few digits."""
    return st.integers(int(low * 100), int(high * 100)).map(lambda n: n / 100)


def names(prefix: str, at_most: int) -> st.SearchStrategy[list[str]]:
    """Return one to ``at_most`` distinct names."""
    return st.integers(1, at_most).map(lambda count: [f"{prefix}_{i}" for i in range(count)])


@st.composite
def float_parameters(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a real parameter."""
    scale = draw(st.sampled_from(["linear", "log"]))
    low = draw(numbers(0.01 if scale == "log" else -1e4))
    return {
        "kind": "float",
        "unit": draw(units),
        "low": low,
        "high": low + draw(numbers(0.01)),
        "scale": scale,
    }


@st.composite
def integer_parameters(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a whole parameter."""
    low = draw(st.integers(-100, 100))
    return {"kind": "integer", "unit": draw(units), "low": low, "high": low + draw(st.integers(1, 100))}


@st.composite
def ordinal_parameters(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an ordinal parameter."""
    levels = sorted(draw(st.sets(numbers(), min_size=2, max_size=6)))
    return {"kind": "ordinal", "unit": draw(units), "levels": levels}


categorical_parameters = st.sets(st.text("abc_ on0", min_size=1), min_size=2, max_size=5).map(
    lambda levels: {"kind": "categorical", "levels": sorted(levels)}
)

parameters = st.one_of(float_parameters(), integer_parameters(), ordinal_parameters(), categorical_parameters)


@st.composite
def spaces(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a space; its constraint holds at every parameter's low end, so that it is never empty."""
    chosen = {name: draw(parameters) for name in draw(names("p", 4))}
    numeric = {n: p for n, p in chosen.items() if p["kind"] in ("float", "integer")}
    if not numeric or not draw(st.booleans()):
        return {"parameters": chosen}
    bound = sum(p["low"] for p in numeric.values()) + draw(numbers(0.01))
    return {"parameters": chosen, "constraints": [f"{' + '.join(numeric)} <= {bound}"]}


@st.composite
def metrics(draw: st.DrawFn) -> dict[str, Any]:
    """Draw measured metrics, and sometimes a product of two of them."""
    found: dict[str, Any] = {
        name: {"kind": "measured", "unit": draw(st.sampled_from(METRIC_UNITS))} for name in draw(names("m", 3))
    }
    if len(found) > 1 and draw(st.booleans()):
        unit = "*".join(f"({found[name]['unit']})" for name in ("m_0", "m_1"))
        found["derived"] = {"kind": "derived", "unit": unit, "formula": "m_0 * m_1"}
    return found


@st.composite
def terms(draw: st.DrawFn, metric: str) -> dict[str, Any]:
    """Draw a term of the objective."""
    goal = draw(st.sampled_from(["maximise", "minimise", "target"]))
    term = {"goal": goal, "metric": metric, "weight": draw(numbers(0.01, 10)), "scale": draw(numbers(0.01, 100))}
    if goal == "target":
        low = draw(numbers(-100, 100))
        term |= {"low": low, "high": low + draw(numbers(0, 100))}
    return term


@st.composite
def objectives(draw: st.DrawFn, metric_names: list[str]) -> dict[str, Any]:
    """Draw an objective of some of the metrics."""
    chosen = draw(st.lists(st.sampled_from(metric_names), min_size=1, max_size=4))
    bounded = draw(st.lists(st.sampled_from(metric_names), max_size=2))
    side = st.sampled_from(["at_least", "at_most"])
    return {
        "terms": [draw(terms(metric)) for metric in chosen],
        "constraints": [{"metric": metric, draw(side): draw(numbers(-100, 100))} for metric in bounded],
    }


@st.composite
def campaigns(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a valid campaign file's data."""
    space, known = draw(spaces()), draw(metrics())
    measured = [name for name, metric in known.items() if metric["kind"] == "measured"]
    step = {
        "name": "make",
        "stations": ["furnace"],
        "recipe": {name: f"${name}" for name in space["parameters"]} | {"hold": draw(numbers())},
        "analysis": "instruments.analyses.diffraction:phase_fraction",
        "gives": measured,
        "timeout": draw(numbers(0.01)),
        "cost": draw(numbers(0, 100)),
    }
    return {
        "name": "drawn",
        "description": draw(st.text(max_size=40)),
        "seed": draw(st.integers(0, 2**31)),
        "space": space,
        "metrics": known,
        "objective": draw(objectives(list(known))),
        "planner": {"initial": draw(st.integers(2, 50))},
        "lab": {"kind": "virtual"},
        "stations": {"furnace": {"kind": "furnace"}},
        "workflow": [step],
        "budget": {"trials": draw(st.integers(1, 1000)), "wall_time": draw(st.none() | numbers(0.01))},
        "stopping": draw(st.lists(st.just({"kind": "stagnation", "trials": 5, "improvement": 0.5}), max_size=2)),
    }
