"""Checks of what steps do with samples: positions that are there, and enough of each sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from campaigns.errors import Problem, suggestion
from campaigns.fidelity import MeasuredFidelityConfig, all_steps
from campaigns.lab.laboratory import StepConfig
from campaigns.lab.sample_steps import ALL


def sample_steps(sections: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield positions that no lab file declares, and samples of which nothing would be left for a later step."""
    if "workflow" not in sections:
        return
    if "lab" in sections and (getattr(sections["lab"], "rules", None) is not None or sections["lab"].kind != "file"):
        yield from _positions(sections)
    yield from _masses("workflow", sections["workflow"])
    for name, config in sections.get("fidelities", {}).items():
        if isinstance(config, MeasuredFidelityConfig):
            yield from _masses(f"fidelities.{name}.workflow", config.workflow)


def _positions(sections: Mapping[str, Any]) -> Iterator[Problem]:
    rules = getattr(sections["lab"], "rules", None)
    known = {} if rules is None else rules.positions
    for where, step in all_steps(sections["workflow"], sections.get("fidelities", {})):
        for key in ("at", "moves_to"):
            name = getattr(step.sample, key)
            if name is not None and name not in known:
                allowed = ", ".join(known) or "none, as only a lab file declares positions: {holder: {capacity: 1}}"
                message = f"unknown position {name!r}{suggestion(name, known)}; allowed: {allowed}"
                yield Problem(f"{where}.sample.{key}", message)


def _masses(where: str, workflow: Sequence[StepConfig]) -> Iterator[Problem]:
    """Yield steps for which nothing, or not enough, is left of the sample, where that can be told."""
    left: float | None = None
    gone = ""
    for i, step in enumerate(workflow):
        use = step.sample
        if gone and use.makes is None:
            yield Problem(f"{where}[{i}]", f"{step.name} has no sample, as {gone} consumes all of it")
        if use.makes is not None:
            left, gone = (use.makes if isinstance(use.makes, float) else None), ""
        if use.consumes == ALL:
            gone = step.name
        elif isinstance(use.consumes, float) and left is not None:
            left -= use.consumes
            if left < 0:
                message = (
                    f"consumes {use.consumes:g} mg, and {max(left + use.consumes, 0.0):g} mg are left of the sample"
                )
                yield Problem(f"{where}[{i}].sample.consumes", f"{message}; make more, or use less")
        if use.splits is not None and left is not None:
            left /= use.splits
