"""A campaign of two benches in a lab file that has a tray and a holder, for tests about samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from campaigns.campaign import Campaign
from campaigns.relative_paths import PARENT
from loop.core.events import Event
from loop.execution.options import RunOptions, SessionResult
from tests.loop.conftest import only_step, troubled

POSITIONS = {"tray": {"capacity": 2}, "holder": {"capacity": 1}, "shelf": {}}


def sampled(folder: Path, *uses: Mapping[str, Any], device: str = "Bench", **changes: Any) -> dict[str, Any]:
    """Return a campaign whose steps make, and measure, a sample, each as ``uses`` says.

    Args:
        folder: where the lab file is written.
        uses: what each step does with the sample.
        device: of the benches.
        changes: of the campaign.
    """
    bench = {"kind": "device", "device": f"tests.loop.troubled:{device}"}
    stations = {f"bench_{place}": bench for place in range(len(uses))}
    lab = {"lab": changes.pop("lab", {"kind": "virtual"}), "stations": stations, "positions": POSITIONS}
    lab |= changes.pop("file", {})
    (folder / "lab.yaml").write_text(yaml.safe_dump(lab))
    steps = [
        only_step([], ["x", "y"], name=f"step_{place}", stations=[f"bench_{place}"], timeout="2 h", sample=dict(use))
        for place, use in enumerate(uses)
    ]
    for step in steps[:-1]:
        del step["analysis"], step["gives"]
    steps[-1] |= {"analysis": "tests.loop.bench_analyses:height", "gives": ["height"]}
    data = troubled("Bench", workflow=steps, budget={"trials": 3}, planner={"initial": 8}) | changes
    del data["stations"]
    return data | {"lab": {"kind": "file", "path": "lab.yaml"}}


def loaded(data: Mapping[str, Any], folder: Path) -> Campaign:
    """Return a campaign with the lab file of its folder."""
    return Campaign.model_validate(data, context={PARENT: folder})


def run_sampled(data: Mapping[str, Any], folder: Path, on_event: Any = None) -> SessionResult:
    """Run a campaign of a lab file."""
    from loop.run import run

    def ignore(event: Event) -> None:
        del event

    url = f"sqlite:///{folder / 'test.db'}"
    return run(loaded(data, folder), RunOptions(url, yaml.safe_dump(dict(data))), on_event or ignore)
