"""What ``athanor show`` prints of the model of a metric by which a trial was proposed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loop.core.formatting import counted, format_uncertain, number_text, one_line, unit_text
from loop.core.model_words import MODELS, compared_name, hyper_parameter_name

_TOLD = frozenset(("kind", "model", "observations", "members", "models", "choice", "loo", "hyper_parameters")) | {
    "features", "prior", "source", "sources", "widening", "health"
}  # fmt: skip
"""Keys that have words here; a model of the user's own may keep others."""


def describe_model(model: Mapping[str, Any], columns: Sequence[str], unit: str) -> Iterator[tuple[str, str]]:
    """Yield labelled lines about a model.

    Args:
        model: what the store keeps of it.
        columns: names of the columns that the models see of the parameters.
        unit: of the metric.
    """
    yield "model", _model(model)
    yield from _compared(model)
    values = {hyper_parameter_name(n, columns): v for n, v in model.get("hyper_parameters", {}).items()}
    lengths = {name.removeprefix(_LENGTH): v for name, v in values.items() if name.startswith(_LENGTH)}
    yield from _listed("length scales [1]", lengths)
    yield from _listed("other hyper-parameters [1]", {n: v for n, v in values.items() if not n.startswith(_LENGTH)})
    if shares := model.get("features"):
        yield "share of the variance", ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
    if prior := model.get("prior"):
        used = "used" if prior["used"] else "not used"
        yield "prior", f"{used}, slope {format_uncertain(prior['slope'], prior['sd'])}"
    yield from _sources(model)
    if model.get("widening", 1.0) != 1.0:
        yield "standard deviation", f"multiplied by {model['widening']:.3g}, as other chemistries are predicted"
    yield from _health(model.get("health", {}), unit)
    yield from ((name.replace("_", " "), one_line(short(v))) for name, v in model.items() if name not in _TOLD)


_LENGTH = "length scale "


def short(value: Any) -> str:
    """Return a value of a model or a document in few digits."""
    match value:
        case float():
            return number_text(value, 3)
        case Mapping():
            return ", ".join(f"{key} {short(item)}" for key, item in value.items())
        case list() | tuple():
            return f"[{', '.join(short(item) for item in value)}]"
    return str(value)


def _model(model: Mapping[str, Any]) -> str:
    members = model.get("members", [])
    kinds = members if len(members) > 1 else [model.get("kind", "")]
    names = [MODELS.get(kind, str(kind)) for kind in kinds]
    average = "mean of " if len(names) > 1 else ""
    own = f" ({model['model']})" if "model" in model else ""
    return one_line(f"{average}{' and '.join(names)}{own}, fitted to {counted(model['observations'], 'measurement')}")


def _compared(model: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what was compared by leave-one-out: kernels or features, and models."""
    if "choice" in model:
        yield "chosen", one_line(compared_name(model["choice"]))
    found = {compared_name(name): value for key in ("loo", "models") for name, value in model.get(key, {}).items()}
    if len(found) > 1:
        yield from _listed("leave-one-out log density [1]", found)


def _listed(label: str, values: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    if values:
        yield label, one_line(", ".join(f"{name} {number_text(value, 3)}" for name, value in values.items()))


def _sources(model: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, found in model.get("sources", {}).items():
        used = "used" if name == model.get("source") else "not used"
        slope = format_uncertain(found["slope"], found["sd"])
        yield "learns from", one_line(f"{name}: {used}, slope {slope}, gain in log density {found['gain']:+.3f}")


def _health(health: Mapping[str, Any], unit: str) -> Iterator[tuple[str, str]]:
    """Yield how good the latest predictions were, and what was changed about the model therefore."""
    if not health:
        return
    factor = health["sd_factor"]
    wider = f", standard deviations multiplied by {factor:.3g}" if factor > 1.0 else ""
    yield "health", f"{health['state']}{wider}"
    if found := health["figures"]:
        inside = " / ".join(f"{100 * share:.0f}" for share in found["coverage"])
        order = "" if found["rank"] is None else f", rank correlation {found['rank']:.2f}"
        off = f"root-mean-square deviation {number_text(found['rmsd'], 3)}{unit_text(unit)}"
        count = counted(found["predictions"], "prediction")
        yield "measured so far", f"{count}: {inside} % inside their 50 / 80 / 95 % intervals{order}, {off}"
    for change in health["transitions"]:
        yield f"after trial {change['trial']}", one_line(f"{change['state']}: {change['reason']}")
