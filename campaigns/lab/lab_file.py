"""A campaign's laboratory in a file of its own: read with the campaign, and tightened by it, never widened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError, ValidationInfo

from campaigns.config import Count, Name, Number, schema_of
from campaigns.errors import CampaignError, PlacedError, Problem, suggestion
from campaigns.lab.lab_claim import LabClaim
from campaigns.lab.lab_rules import LabFileConfig, LabStationConfig, LimitConfig
from campaigns.lab.laboratory import (
    ComputeConfig,
    CustomLabConfig,
    EpicsLabConfig,
    ProcessesConfig,
    RealLabConfig,
    VirtualLabConfig,
)
from campaigns.lab.setpoints import Part
from campaigns.parsing.validation_messages import explain, shown
from campaigns.parsing.yaml_lines import parts, read_document
from campaigns.parsing.yaml_words import yaml_problem
from campaigns.relative_paths import PARENT, RelativePathConfig


class FileLabConfig(RelativePathConfig):
    """A laboratory in a file of its own, with its stations and what nobody may tell them; see safety.md."""

    kind: Literal["file"]
    path: str
    """The lab file, beside the campaign file or absolute; the campaign has no stations of its own then."""
    limits: dict[Name, dict[Part, LimitConfig]] = Field(default_factory=dict)
    """Station to setting to limits that hold in this campaign: within those of the lab file."""
    priority: Count = 0
    """Where several campaigns run on the laboratory, a station goes to those of the highest priority first."""
    share: Annotated[Number, Field(gt=0)] = 1.0
    """Among campaigns of one priority, station time is divided by their shares, at each station that they wait for."""

    @property
    def compute(self) -> ComputeConfig:
        """Where embeddings are computed as long as the file is not read."""
        return ProcessesConfig(kind="processes")


def _read(lab: Any, info: ValidationInfo) -> Any:
    """Return the laboratory of a lab file, with its rules; one whose folder is not known stays as it is."""
    if not isinstance(lab, FileLabConfig) or not (info.context or {}).get(PARENT):
        return lab
    try:
        file = load_lab_file(lab.beside(lab.path))
    except CampaignError as error:
        raise PlacedError([("path", line) for line in error.lines()]) from error
    if problems := list(_widened(lab, file)):
        raise PlacedError(problems)
    return file.lab.ruled_by(_tightened(lab, file), LabClaim(lab.priority, lab.share))


CampaignLabConfig = Annotated[
    VirtualLabConfig | EpicsLabConfig | RealLabConfig | CustomLabConfig | FileLabConfig,
    Field(discriminator="kind"),
    AfterValidator(_read),
]
"""The laboratory of a campaign; one in a file is what that file says."""


def load_lab_file(path: Path) -> LabFileConfig:
    """Read and check a lab file.

    Raises:
        CampaignError: with every problem found, each with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CampaignError([Problem("file", f"cannot be read: {reason}")], str(path)) from error
    try:
        document = read_document(text)
    except yaml.MarkedYAMLError as error:
        raise CampaignError([yaml_problem(error, text)], str(path)) from error
    except yaml.YAMLError as error:
        raise CampaignError([Problem("YAML", str(error))], str(path)) from error
    if not isinstance(document.data, dict):
        raise CampaignError([Problem("file", f"got {shown(document.data)}; allowed: a mapping, key: value")], str(path))
    problems = list(document.problems)
    try:
        found = LabFileConfig.model_validate(document.data, context={PARENT: path.parent})
    except ValidationError as error:
        problems += explain(error, document.data, schema_of(LabFileConfig))
    if problems:
        placed = [Problem(p.where, p.message, p.line or document.line(parts(p.where))) for p in problems]
        raise CampaignError(placed, str(path))
    return found.at(path)


def is_lab_file(path: Path) -> bool:
    """Return whether a file is a lab file, which has stations and searches for nothing; no if it cannot be read."""
    try:
        data = read_document(path.read_text(encoding="utf-8")).data
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    return isinstance(data, dict) and "stations" in data and "space" not in data


def _widened(lab: FileLabConfig, file: LabFileConfig) -> Iterator[tuple[str, str]]:
    """Yield the limits of a campaign that the lab file does not allow."""
    for station, limits in lab.limits.items():
        if station not in file.stations:
            yield f"limits.{station}", f"unknown name {station!r}{suggestion(station, file.stations)}"
            continue
        known = file.stations[station].limits
        for key in limits.keys() & known.keys():
            try:
                known[key].tightened(limits[key])
            except ValueError as error:
                yield f"limits.{station}.{key}", f"{error}; a campaign may only tighten what {lab.path} says"


def _tightened(lab: FileLabConfig, file: LabFileConfig) -> LabFileConfig:
    """Return a lab file with the limits of a campaign."""
    stations = {name: _within(config, lab.limits.get(name, {})) for name, config in file.stations.items()}
    return file.model_copy(update={"stations": stations})


def _within(config: LabStationConfig, limits: dict[str, LimitConfig]) -> LabStationConfig:
    known = config.limits
    both = {key: known[key].tightened(one) if key in known else one for key, one in limits.items()}
    return config.model_copy(update={"limits": {**known, **both}})
