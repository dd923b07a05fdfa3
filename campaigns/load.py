"""From a file to a Campaign, or to every problem in it at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from campaigns.campaign import Campaign, stations_of
from campaigns.checks.consistency import cross_check
from campaigns.config import schema_of
from campaigns.errors import CampaignError, Problem
from campaigns.lab.by_hand import with_bench, with_entries
from campaigns.parsing.validation_messages import explain, shown
from campaigns.parsing.yaml_lines import YamlDocument, parts, read_document
from campaigns.parsing.yaml_words import yaml_problem
from campaigns.pool_source import GeneratorPoolConfig, missing_source
from campaigns.relative_paths import PARENT
from campaigns.user_code.dotted_paths import unfit_objects


def load_campaign(path: Path) -> Campaign:
    """Read and check a campaign file, offline.

    Raises:
        CampaignError: with every problem found, each with its line.
    """
    return parse_campaign(read_text(path), str(path), path.absolute().parent)


def located(problems: Iterable[Problem], path: Path) -> list[Problem]:
    """Return problems of a campaign that could be loaded with their lines in its file.

    Raises:
        CampaignError: the file cannot be read any more.
    """
    document = _read(read_text(path), str(path))
    folder = path.absolute().parent
    return [_placed(_of_lab_file(problem, document, folder), document) for problem in problems]


def _of_lab_file(problem: Problem, document: YamlDocument, folder: Path) -> Problem:
    """Return a problem of a station of the lab file with its line there."""
    lab = document.data.get("lab") if isinstance(document.data, dict) else None
    if not problem.where.startswith("stations.") or not isinstance(lab, dict) or lab.get("kind") != "file":
        return problem
    file = folder / str(lab.get("path"))
    line = _read(read_text(file), str(file)).line(parts(problem.where))
    return Problem("lab.path", f"{file}:{line}: {problem.where}: {problem.message}")


def read_text(path: Path) -> str:
    """Return a campaign file's text.

    Raises:
        CampaignError: the file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        hint = "; 'athanor init' writes one" if isinstance(error, FileNotFoundError) else ""
        raise CampaignError([Problem("file", f"cannot be read: {reason}{hint}")], str(path)) from error


def parse_campaign(text: str, source: str, folder: Path | None = None) -> Campaign:
    """Read and check the text of a campaign file.

    Args:
        text: the YAML.
        source: what errors call it, such as the file's name.
        folder: where modules and data beside the file are looked for; without it, data are not looked for at all.

    Raises:
        CampaignError: with every problem found, each with its line.
    """
    document = _read(text, source)
    if not isinstance(document.data, dict):
        message = f"got {shown(document.data)}; allowed: a mapping, key: value ('athanor init' writes one)"
        raise CampaignError([Problem("file", message, document.line(()))], source)
    campaign, problems = _validated(document.data, folder)
    sections = campaign if isinstance(campaign, dict) else _fields(campaign)
    problems += [*unfit_objects(sections, folder), *(_missing_files(sections) if folder else ())]
    problems = problems if folder is None else [_of_lab_file(p, document, folder) for p in problems]
    problems = [*document.problems, *(_placed(p, document) for p in problems)]
    if problems or isinstance(campaign, dict):
        raise CampaignError(problems, source)
    return campaign


def _read(text: str, source: str) -> YamlDocument:
    try:
        return read_document(text)
    except yaml.MarkedYAMLError as error:
        raise CampaignError([yaml_problem(error, text)], source) from error
    except yaml.YAMLError as error:
        raise CampaignError([Problem("YAML", str(error))], source) from error
    except RecursionError as error:
        raise CampaignError([Problem("YAML", "is nested too deeply to be read")], source) from error


def _validated(data: dict[Any, Any], folder: Path | None) -> tuple[Campaign | dict[str, Any], list[Problem]]:
    """Return the campaign, or the sections that could be read and the problems."""
    context, data = {PARENT: folder}, with_bench(data)
    try:
        return Campaign.model_validate(data, context=context), []
    except CampaignError as error:
        return _sections(data, context), list(error.problems)
    except ValidationError as error:
        sections = _sections(data, context)
        return sections, explain(error, data, schema_of(Campaign)) + cross_check(sections)


def _missing_files(sections: dict[str, Any]) -> Iterator[Problem]:
    try:
        getattr(sections.get("space"), "table", None)  # reads it
    except CampaignError as error:
        yield from error.problems
    pool = getattr(sections.get("space"), "pool", None)
    if pool is None or isinstance(pool, GeneratorPoolConfig):
        return
    if found := missing_source(pool):
        yield Problem(f"space.pool.{found[0]}", found[1])


def _sections(data: dict[Any, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Validate each top-level key by itself and return those that pass."""
    sections: dict[str, Any] = {}
    for name, field in Campaign.model_fields.items():
        if name not in data:
            if not field.is_required():
                sections[name] = field.get_default(call_default_factory=True)
            continue
        try:
            sections[name] = _adapter(field).validate_python(data[name], context=context)
        except ValidationError:
            continue  # explained with the whole file's errors
    if "stations" in sections:
        sections["stations"] = stations_of(sections.get("lab"), sections["stations"])
    if "workflow" in sections:
        entered = with_entries(sections["workflow"], sections.get("stations", {}), sections.get("metrics", {}))
        sections["workflow"] = entered
    return sections


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    annotated: Any = Annotated[field.annotation, field]
    return TypeAdapter(annotated)


def _fields(campaign: Campaign) -> dict[str, Any]:
    return {name: getattr(campaign, name) for name in Campaign.model_fields}


def _placed(problem: Problem, document: YamlDocument) -> Problem:
    return replace(problem, line=document.line(parts(problem.where)))
