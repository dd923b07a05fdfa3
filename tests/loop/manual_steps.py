"""A campaign whose only step a person does, for tests."""

from __future__ import annotations

from typing import Any

from tests.loop.conftest import only_step, troubled


def by_hand(**changes: Any) -> dict[str, Any]:
    """A campaign of two trials on the clock on the wall: somebody weighs, and enters height and bar code."""
    number = {"unit": "1", "limits": [0, 1]}
    step = only_step(
        ["height"],
        ["x", "y"],
        name="weigh",
        stations=["kim"],
        instructions="Weigh {x} of sample {sample} ({settings})",
        asks={"height": {"unit": "1", "limits": [-10, 10]}, "mass": "mg", "barcode": "text"},
        analysis="instruments.analyses.plain_readings:metrics",
        analysis_settings={"signals": {"height": "height"}, "uncertainty": {"height": 0.01}},
        timeout="1 h",
    )
    return (
        troubled(
            "Bench",
            name="by_hand",
            lab={"kind": "real"},
            stations={"kim": {"kind": "manual", "setpoints": {"x": number, "y": number}}},
            workflow=[step | changes.pop("step", {})],
            budget={"trials": 2},
            planner={"initial": 8},
        )
        | changes
    )
