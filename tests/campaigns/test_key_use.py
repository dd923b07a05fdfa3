"""Every key of the campaign file is used: by a campaign that comes with Athanor, or by a snippet of the pages.

What nobody can be shown using, nobody needs: a new key comes with a campaign or a page that uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from campaigns import campaign  # noqa: F401  with all sections of a campaign file
from campaigns.config import Config
from campaigns.schema import json_schema
from loop.storage.paths import ready_campaigns
from tests.snippets import ROOT, snippets

Key = tuple[str, str]
"""The class that defines a key, which others may inherit, and the key."""
Schema = Mapping[str, Any]

ONLY_SNIPPETS: Mapping[str, str] = {
    "AsePoolConfig": "a database of the user's own",
    "Campaign.subscribers": "code of the user's own",
    "CategoricalConfig.otherwise": "what FloatConfig.otherwise is in sintering",
    "CategoricalConfig.when": "what FloatConfig.when is in sintering",
    "ChgnetConfig": "weights that the demo has no use for",
    "CustomFeaturesConfig": "code of the user's own",
    "CustomLabConfig": "code of the user's own",
    "DesirabilityTermConfig.reference": "what LinearTermConfig.reference is in flow",
    "EpicsLabConfig": "minutes for a few trials; 'athanor run FILE --lab epics' serves any file's furnaces so",
    "FileLabConfig": "a file of the laboratory's own",
    "FindManyConfig.share": "beside `above`, which the perovskites use",
    "FolderPoolConfig": "a folder of the user's own",
    "IntegerConfig.highest": "what FloatConfig.highest is in sintering",
    "IntegerConfig.lowest": "what FloatConfig.lowest is in flow",
    "JsonPoolConfig": "a file of the user's own",
    "LimitConfig": "a file of the laboratory's own",
    "MatglConfig": "a model that is trained, or loaded, first",
    "MeasuredConfig.model": "code of the user's own",
    "OrdinalConfig.otherwise": "what FloatConfig.otherwise is in sintering",
    "OrdinalConfig.when": "what FloatConfig.when is in sintering",
    "PlannerConfig.strategy": "code of the user's own, or Ax's default instead of what the other campaigns show",
    "PlannerConfig.timeout": "code of the user's own",
    "RayConfig": "a cluster",
    "RetrainConfig": "a model that is trained first",
    "Campaign.requests": "people who do not answer",
    "RequestsConfig": "the same",
    "RequestLimitConfig": "the same",
    "StandardRequestConfig": "the same",
    "StationRequestConfig": "the same",
    "SupplyRequestConfig": "the same",
    "TrialRequestConfig": "the same",
    "UnsafeRequestConfig": "the same",
    "SpaceConfig.rows": "a table of the user's own",
    "DeviceConfig.settings": "code of the user's own",
    "RealLabConfig.connection_timeout": "an EPICS server",
    "RealLabConfig.control_layer": "an EPICS server",
    "RealLabConfig.epics_servers": "an EPICS server",
    "SetpointConfig.choices": "code of the user's own",
    "SetpointConfig.dwell": "code of the user's own",
    "SetpointConfig.readback": "code of the user's own",
    "StationConfig.capacity": "a file of the laboratory's own, as that of crucibles",
    "StationConfig.shared": "beside capacity",
    "StationConfig.wait": "beside capacity",
    "SampleConfig.at": "a file of the laboratory's own",
    "StationConfig.plan": "code of the user's own",
    "StationConfig.process": "code of the user's own",
    "StationConfig.response_timeout": "code of the user's own",
    "StationConfig.suspenders": "code of the user's own",
    "StationConfig.units": "code of the user's own",
    "StationConfig.device": "code of the user's own",
    "StationConfig.settings": "code of the user's own",
    "StepConfig.analysis_timeout": "code of the user's own",
    "StoreSourceConfig": "a store, which only a run writes",
    "SurrogateConfig.retrain": "a model that is trained first",
    "TargetTermConfig.reference": "what LinearTermConfig.reference is in flow",
    "TrainedPriorConfig": "a model that is trained first",
}
"""Section, or key of one, that no shipped campaign can use, to the reason; the pages show each in a snippet."""


def classes(base: type[Config] = Config) -> Iterator[type[Config]]:
    for one in base.__subclasses__():
        yield one
        yield from classes(one)


NAMED = {one.__name__: one for one in classes()}
SCHEMA = json_schema()
SECTIONS: Mapping[str, Schema] = {"Campaign": SCHEMA, **SCHEMA["$defs"]}


def defined(section: str, key: str) -> Key:
    """Return a key under the class that defines it; what tells the forms of a section apart is its own."""
    if key in ("kind", "goal"):
        return section, key
    homes = [one for one in NAMED[section].__mro__ if key in vars(one).get("__annotations__", {})]
    return homes[-1].__name__, key


EVERY = {defined(name, key) for name, section in SECTIONS.items() for key in section["properties"]}


def used(value: Any, schema: Schema, section: str = "Campaign") -> Iterator[Key]:
    """Yield the keys that a part of a campaign file uses."""
    match value, schema:
        case dict(), {"properties": properties}:
            there = value.keys() & properties.keys()
            yield from (defined(section, key) for key in there)
            parts = [(value[key], properties[key], section) for key in there]
        case _:
            parts = list(inside(value, schema, section))
    for part in parts:
        yield from used(*part)


def inside(value: Any, schema: Schema, section: str) -> Iterator[tuple[Any, Schema, str]]:
    """Yield the parts of what is no section itself, each with its schema and the section that it stands in."""
    match value, schema:
        case _, {"$ref": ref}:
            name = ref.rsplit("/", 1)[-1]
            yield value, SECTIONS[name], name
        case _, {"oneOf": options} | {"anyOf": options}:
            yield from ((value, option, section) for option in options if fits(value, option))
        case dict(), {"patternProperties": patterns}:
            yield from ((one, pattern, section) for one in value.values() for pattern in patterns.values())
        case list(), {"items": items}:
            yield from ((one, items, section) for one in value)


def fits(value: Any, schema: Schema) -> bool:
    """Return whether a part of a campaign file is of one of the forms that a section may have."""
    match schema:
        case {"$ref": ref}:
            return fits(value, SECTIONS[ref.rsplit("/", 1)[-1]])
        case {"oneOf": options} | {"anyOf": options}:
            return any(fits(value, option) for option in options)
        case {"properties": properties}:
            tags = [tag for tag in ("kind", "goal") if tag in properties]
            allowed = {tag: properties[tag].get("enum", [properties[tag].get("const")]) for tag in tags}
            return isinstance(value, dict) and all(value.get(tag) in allowed[tag] for tag in tags)
    return isinstance(value, dict) == (schema.get("type") == "object")


def shipped() -> set[Key]:
    files = ready_campaigns().values()
    return {key for file in files for key in used(yaml.safe_load(file.read_text(encoding="utf-8")), SCHEMA)}


def shown() -> set[Key]:
    pages = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
    blocks = [block for page in pages for block in snippets(page) if block.language == "yaml"]
    return {key for block in blocks for key in used(yaml.safe_load(block.text), SCHEMA)}


def excepted(key: Key) -> bool:
    return key[0] in ONLY_SNIPPETS or ".".join(key) in ONLY_SNIPPETS


def test_every_key_is_used_by_a_shipped_campaign() -> None:
    assert sorted(key for key in EVERY - shipped() if not excepted(key)) == []


def test_what_no_shipped_campaign_can_use_is_shown_in_a_snippet() -> None:
    assert sorted(EVERY - shipped() - shown()) == []


@pytest.mark.parametrize("name", ONLY_SNIPPETS)
def test_no_exception_outlives_its_reason(name: str) -> None:
    section, _, key = name.partition(".")
    keys = {one for one in EVERY if one[0] == section and (not key or one[1] == key)}
    assert keys
    assert not keys <= shipped()
