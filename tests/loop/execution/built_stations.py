"""Labs of one station that is built from what a campaign file says of it, on the clock on the wall."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from campaigns.lab.laboratory import StationConfig
from campaigns.user_code.module_files import open_folder
from instruments.job_instrument import JobInstrument
from instruments.real_lab import RealLab
from instruments.run_context import RunContext
from loop.execution.laboratory.device_binding import JobRecords
from loop.execution.laboratory.lab_setup import build_instrument
from tests.labs import Crew


def write_module(folder: Path, name: str, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a module of the user's own into the folder of a campaign, which is opened."""
    (folder / f"{name}.py").write_text(source)
    monkeypatch.delitem(sys.modules, name, raising=False)
    open_folder(folder)


class Floor(RealLab):
    """A lab of one station."""

    stage: JobInstrument

    def instrument(self, name: str) -> JobInstrument:
        assert name == self.stage.name
        return self.stage


class StationBuilder:
    """Builds stations, each in a lab of its own.

    Args:
        name: of the stations.
        state: folder in which their jobs are remembered.
    """

    def __init__(self, name: str, state: Path) -> None:
        self._name, self._state = name, state
        self._labs: list[Floor] = []
        self._crews: list[Crew[Floor]] = []

    def build(self, config: dict[str, Any], context: RunContext | None = None) -> Crew[Floor]:
        """Return the crew of the lab with the station that a campaign file describes."""
        self._labs.append(Floor(0.0))
        records = JobRecords(self._state, context=context or RunContext())
        station = StationConfig.model_validate(config)
        self._labs[-1].stage = build_instrument(self._name, station, self._labs[-1], records)
        self._crews.append(Crew(self._labs[-1], self._name))
        return self._crews[-1]

    def close(self) -> None:
        """Close all labs, those included of which the station could not be built."""
        for crew in self._crews:
            crew.close()
        for lab in self._labs[len(self._crews) :]:
            lab.close()
