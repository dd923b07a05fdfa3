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
def mixtures(draw: st.DrawFn, prefix: str = "c") -> dict[str, Any]:
    """Draw a mixture about a point that lies in it."""
    count = draw(st.integers(2, 5))
    at_most = draw(st.none() | st.integers(1, count))
    parts = [draw(st.integers(1, 20)) for _ in range(at_most or count)]
    point = [part / sum(parts) for part in parts] + [0.0] * (count - len(parts))
    components = {f"{prefix}_{i}": draw(_components(share)) for i, share in enumerate(point)}
    return {"components": components} | ({} if at_most is None else {"at_most": at_most})


@st.composite
def _components(draw: st.DrawFn, share: float) -> dict[str, Any]:
    low = draw(st.sampled_from([0.0, 0.25, 0.75])) * share
    high = share + draw(st.sampled_from([0.25, 0.5, 1.0])) * (1.0 - share)
    return ({"low": round(low, 3)} if low else {}) | ({"high": round(high + 0.002, 3)} if high < 0.99 else {})


@st.composite
def mixture_spaces(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a space of a mixture and some parameters beside it."""
    return {
        "parameters": {name: draw(parameters) for name in draw(st.just([]) | names("p", 2))},
        "mixtures": {"mixture": draw(mixtures())},
    }


@st.composite
def equality_spaces(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a space of a linear equality that holds in the middle of the parameters, and perhaps an inequality."""
    count = draw(st.integers(2, 4))
    lows = [draw(numbers(-100, 100)) for _ in range(count)]
    spans = [draw(numbers(0.1, 100)) for _ in range(count)]
    factors = [draw(st.sampled_from([-2, 0.5, 1, 3])) for _ in range(count)]
    middle = sum(f * (low + span / 2) for f, low, span in zip(factors, lows, spans, strict=True))
    terms = " + ".join(f"{factor} * p_{i}" for i, factor in enumerate(factors))
    pairs = enumerate(zip(lows, spans, strict=True))
    chosen = {f"p_{i}": {"kind": "float", "unit": "1", "low": low, "high": low + span} for i, (low, span) in pairs}
    more = [f"p_0 <= {lows[0] + 0.75 * spans[0]}"] if draw(st.booleans()) else []
    return {
        "parameters": chosen | {"gas": draw(categorical_parameters)},
        "constraints": [f"{terms} == {middle}", *more],
    }


@st.composite
def nonlinear_spaces(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a space whose constraint is kept by a quarter of it at least."""
    high = {name: draw(numbers(2, 100)) for name in ("a", "b")}
    chosen = {name: {"kind": "float", "unit": "1", "low": 1, "high": bound} for name, bound in high.items()}
    middle = (1 + high["a"]) * (1 + high["b"]) / 4
    text = draw(st.sampled_from(["a * b <= {0}", "log(a) + log(b) <= log({0})", "(a * b) ** 0.5 <= sqrt(max(1, {0}))"]))
    return {"parameters": chosen, "constraints": [text.format(middle)]}


@st.composite
def conditional_spaces(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a space with a parameter that applies with some levels of another, and one that depends on that."""
    parent = draw(categorical_parameters)
    child, grandchild = draw(ordinal_parameters()), draw(parameters)
    some = parent["levels"][: draw(st.integers(1, len(parent["levels"]) - 1))]
    told = grandchild["levels"][0] if "levels" in grandchild else grandchild["low"]
    return {
        "parameters": {
            "parent": parent,
            "child": child | {"when": {"parent": some}, "otherwise": child["levels"][0]},
            "grandchild": grandchild | {"when": {"child": child["levels"][1:]}, "otherwise": told},
        }
    }


@st.composite
def described_spaces(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a space of a categorical parameter with descriptors."""
    parameter = draw(categorical_parameters)
    count = len(parameter["levels"])
    described = {name: draw(st.permutations([float(i) for i in range(count)])) for name in draw(names("d", 3))}
    return {"parameters": {"solvent": parameter | {"descriptors": described}, "p": draw(parameters)}}


rich_spaces = st.one_of(
    mixture_spaces(), equality_spaces(), nonlinear_spaces(), conditional_spaces(), described_spaces()
)


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
    space, known = draw(st.one_of(spaces(), rich_spaces)), draw(metrics())
    shares = [name for mixture in space.get("mixtures", {}).values() for name in mixture["components"]]
    measured = [name for name, metric in known.items() if metric["kind"] == "measured"]
    step = {
        "name": "make",
        "stations": ["furnace"],
        "recipe": {name: f"${name}" for name in [*space["parameters"], *shares]} | {"hold": draw(numbers())},
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
