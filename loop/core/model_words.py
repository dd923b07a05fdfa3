"""Words for what the store keeps of a metric's model, in place of the names that it is kept under."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

KERNELS: Mapping[str, str] = {
    "matern": "Matérn",
    "gaussian": "Gaussian",
    "warped": "Matérn of warped parameters",
}
"""Kernels of the parameters."""
_CHOICES: Mapping[str, str] = {
    "matern": "Matérn kernel",
    "gaussian": "Gaussian kernel",
    "warped": "Matérn kernel of warped parameters",
    "mixture": "all features together",
    "without prior": "all features, without the prior",
}
MODELS: Mapping[str, str] = {
    "gp": "Gaussian process",
    "trees": "extra trees",
    "effects": "Gaussian process with an additive kernel",
    "custom": "a model of your own",
}
"""Kinds of models."""
_HYPER_PARAMETERS: Mapping[str, str] = {
    "length": "length scale",
    "scale": "variance",
    "low": "warp at the low end of",
    "high": "warp at the high end of",
    "process": "variance",
    "pairs": "variance of interactions",
    "product": "variance of material and parameters together",
    "nugget": "variance of what no feature explains",
    "noise": "noise variance",
}


def compared_name(name: str) -> str:
    """Return the words for a kernel, a set of features or a model that was compared; a feature keeps its own name."""
    return _CHOICES.get(name) or MODELS.get(name) or name


def hyper_parameter_name(name: str, columns: Sequence[str]) -> str:
    """Return the words for a hyper-parameter such as ``length.0``.

    Args:
        name: as the store keeps it: its kind, and the feature or the place of the column that it belongs to.
        columns: names of the columns that the models see of the parameters.
    """
    kind, _, which = name.partition(".")
    column = columns[int(which)] if which.isdigit() and int(which) < len(columns) else which
    return f"{_HYPER_PARAMETERS.get(kind, kind)} {column}".strip()


def column_names(name: str, levels: Iterable[object], descriptors: Iterable[str]) -> list[str]:
    """Return the names of the columns that the models see of a parameter.

    Args:
        name: of the parameter.
        levels: of a categorical one; empty for a number.
        descriptors: names of the properties of its levels.
    """
    return [f"{name} {one}" for one in descriptors] or [f"{name}={level}" for level in levels] or [name]
