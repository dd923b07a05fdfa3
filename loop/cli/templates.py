"""The campaigns that come with Athanor, to begin from: what each asks, and a copy of it under a name of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from campaigns.errors import CampaignError, Problem, suggestion
from loop.storage.paths import SCHEMA, ready_campaigns

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_MODULE = re.compile(r"(\w+):\w+")
"""A function or class of a module that stands beside the campaign file, not in a package."""


@dataclass(frozen=True, slots=True)
class Template:
    """A ready campaign.

    Attributes:
        question: first sentence of its description.
        space: what it chooses among.
        lab: the instruments of its laboratory.
    """

    name: str
    question: str
    space: str
    lab: str


def templates() -> Iterator[Template]:
    """Yield the ready campaigns, by name."""
    for name, file in ready_campaigns().items():
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        question = " ".join(data["description"].split()).partition("? ")[0].removesuffix("?")
        if data["lab"]["kind"] == "file":
            data |= yaml.safe_load(file.with_name(data["lab"]["path"]).read_text(encoding="utf-8"))
        yield Template(name, f"{question}?", ", ".join(_space(data["space"])), f"{_lab(data)} ({data['lab']['kind']})")


def template_table(found: Iterable[Template]) -> Table:
    """Return what each ready campaign asks, in a table."""
    table = Table("name", "question", "space", "lab", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for one in found:
        table.add_row(one.name, one.question, one.space, one.lab)
    return table


def write_campaign(template: str, name: str, folder: Path) -> tuple[list[Path], list[Path]]:
    """Write a ready campaign under a name, with the tables and modules that it names.

    Returns:
        The new files, the campaign first, and those that it names which are there already with the same content.

    Raises:
        CampaignError: there is no such campaign, the name is none, or a file is there already.
    """
    source = _template(template, name)
    if not _NAME.fullmatch(name):
        message = f"got {name!r}; allowed: a letter, then letters, digits and _, such as my_campaign"
        raise _refusal("NAME", message)
    target = folder / f"{name}.yaml"
    files = {target: _renamed(source.read_text(encoding="utf-8"), template, name).encode()}
    files |= {folder / one.name: one.read_bytes() for one in _beside(source)}
    for file, content in files.items():
        if file.exists() and (file == target or file.read_bytes() != content):
            advice = "move it away first, or give the campaign another name: athanor init NAME --from TEMPLATE"
            raise _refusal("NAME", f"{file.name} exists already; {advice}")
    new = [file for file in files if not file.exists()]
    for file in new:
        file.write_bytes(files[file])
    return new, [file for file in files if file not in new]


def _refusal(where: str, message: str) -> CampaignError:
    return CampaignError([Problem(where, message)], "")


def _template(template: str, name: str) -> Path:
    """Return the file of a ready campaign.

    Raises:
        CampaignError: there is none of that name.
    """
    ready = ready_campaigns()
    if template in ready:
        return ready[template]
    own = "" if template != name else f"; for a name of your own: athanor init {name} --from TEMPLATE"
    message = f"got {template!r}{suggestion(template, ready)}; allowed: {', '.join(ready)}{own}"
    raise _refusal("NAME" if template == name else "--from", message)


def _renamed(text: str, template: str, name: str) -> str:
    """Return a campaign file under its new name."""
    # Editors complete from the schema of the installed version, wherever the new file stands.
    text = text.replace("$schema=schema.json", f"$schema={SCHEMA.as_uri()}")
    text = text.replace(f"athanor init {template} && athanor run {template}.yaml", f"athanor run {name}.yaml")
    return re.sub(rf"^name: {template}$", f"name: {name}", text, flags=re.MULTILINE)


def _beside(source: Path) -> list[Path]:
    """Return the tables and modules beside a campaign file that it names."""
    words = _texts(yaml.safe_load(source.read_text(encoding="utf-8")))
    names = [f"{found[1]}.py" if (found := _MODULE.fullmatch(word)) else word for word in words]
    places = dict.fromkeys(source.with_name(name) for name in names if name and "/" not in name and "\n" not in name)
    return [place for place in places if place.is_file()]


def _texts(data: object) -> Iterator[str]:
    match data:
        case str():
            yield data
        case list():
            for one in data:
                yield from _texts(one)
        case dict():
            for one in data.values():
                yield from _texts(one)


def _space(space: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a space consists of, in a few words."""
    if "pool" in space:
        yield "materials"
    for mixture in space.get("mixtures", {}).values():
        yield f"a mixture of {len(mixture['components'])}"
    if count := len(space.get("parameters", {})):
        yield f"{count} parameter{'s' if count > 1 else ''}"


def _lab(data: Mapping[str, Any]) -> str:
    """Return the instruments of a campaign, each kind once; those without a kind of their own by their station."""
    kinds = {name: station["kind"] for name, station in data["stations"].items()}
    return ", ".join(dict.fromkeys(name if kind in ("simulated", "device") else kind for name, kind in kinds.items()))
