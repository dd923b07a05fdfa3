"""Messages for what pydantic found wrong: what, got, allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from campaigns.config import STRATEGY_PATTERN
from campaigns.errors import PlacedError, Problem, suggestion
from campaigns.parsing.yaml_lines import Loc, dotted

_WANTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "finite_number": "a finite number",
    "dict_type": "a mapping, key: value",
    "model_type": "a mapping, key: value",
    "model_attributes_type": "a mapping, key: value",
    "tuple_type": "a list",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_PATTERNS = {
    "^[A-Za-z_][A-Za-z0-9_]*$": "a name of letters, digits and _, not beginning with a digit",
    r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$": "package.module:name",
    STRATEGY_PATTERN: "ax, or package.module:name",
}


def explain(error: ValidationError, data: Any, schema: Mapping[str, Any]) -> list[Problem]:
    """Return one problem per error, its path as it stands in the file.

    Args:
        error: what pydantic raised.
        data: what it was given.
        schema: the JSON schema of the same type, from which the allowed keys are taken.
    """
    found = _without_echoes([dict(e) for e in error.errors(include_url=False)])
    return [problem for e in found for problem in (_placed(e, data) or [_problem(e, data, schema)])]


def shown(value: Any) -> str:
    """Return a value as a short piece of the file: text in quotes, containers by their type."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
    return repr(value) if len(repr(value)) <= 80 else repr(value)[:77] + "..."


def _without_echoes(errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out that a list is too short where that follows from wrong items, which are reported as well."""
    places = [e["loc"] for e in errors]

    def is_echo(e: dict[str, Any]) -> bool:
        own = e["loc"]
        return e["type"] == "too_short" and any(len(p) > len(own) and p[: len(own)] == own for p in places)

    return [e for e in errors if not is_echo(e)]


def _placed(error: dict[str, Any], data: Any) -> list[Problem]:
    """Return the problems of a section whose validator states their places."""
    match error.get("ctx"):
        case {"error": PlacedError(placed=placed)}:
            section = dotted(_path(error["loc"], data))
            return [Problem(f"{section}.{where}" if section else where, message) for where, message in placed]
    return []


def _problem(error: dict[str, Any], data: Any, schema: Mapping[str, Any]) -> Problem:
    path = _path(error["loc"], data)
    context, got = error.get("ctx", {}), error["input"]
    match error["type"]:
        case "missing":
            return Problem(dotted(path), f"is missing; needed: {_description(schema, path, data)}")
        case "extra_forbidden":
            allowed = _keys(schema, path[:-1], data)
            near = suggestion(str(path[-1]), allowed)
            return Problem(dotted(path), f"unknown key{near}; allowed: {_listed(allowed)}")
        case "union_tag_invalid" | "union_tag_not_found":
            key = context["discriminator"].strip("'")
            choices = _keys_of_tags(schema, path, data)
            return Problem(dotted((*path, key)), _choice(context.get("tag"), choices))
        case "literal_error":
            return Problem(dotted(path), _choice(got, _literals(context["expected"])))
    return Problem(dotted(path), _plain(error["type"], got, context, error["msg"]))


def _plain(kind: str, got: Any, context: Mapping[str, Any], fallback: str) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind in _WANTED:
        return f"got {shown(got)}; allowed: {_WANTED[kind]}"
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"got {shown(got)}; allowed: {words} {context[key]:g}"
    if kind == "too_short":
        return f"got {context['actual_length']} items; allowed: at least {context['min_length']}"
    if kind == "string_pattern_mismatch":
        return f"got {shown(got)}; allowed: {_PATTERNS.get(context['pattern'], context['pattern'])}"
    return f"got {shown(got)}; {fallback[:1].lower()}{fallback[1:]}"


def _choice(got: Any, allowed: list[str]) -> str:
    if got is None:
        return f"is missing; allowed: {_listed(allowed)}"
    return f"got {shown(got)}{suggestion(str(got), allowed)}; allowed: {_listed(allowed)}"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"


def _literals(expected: str) -> list[str]:
    """Return the words of pydantic's ``'a', 'b' or 'c'``."""
    return [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]


def _path(loc: Loc, data: Any) -> Loc:
    """Return pydantic's location without what stands in no file: tags of unions and '[key]'."""
    path: list[int | str] = []
    for part in loc:
        if part == "[key]" or (isinstance(data, Mapping) and part not in data and part in _tags(data)):
            continue
        path.append(part)
        data = _get(data, part)
    return tuple(path)


def _tags(data: Mapping[Any, Any]) -> tuple[Any, ...]:
    return data.get("kind"), data.get("goal")


def _get(data: Any, part: int | str) -> Any:
    try:
        return data[part]
    except (KeyError, IndexError, TypeError):
        return None


def _at(schema: Mapping[str, Any], path: Loc, data: Any) -> tuple[Mapping[str, Any], Any]:
    """Return the piece of the schema and of the data at a path; the piece may still be a reference."""
    node = schema
    for part in path:
        node = _resolved(schema, node, data)
        patterns = iter(node.get("patternProperties", {}).values())
        node = node.get("properties", {}).get(part) or node.get("items") or next(patterns, {})
        data = _get(data, part)
    return node, data


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any], data: Any) -> Mapping[str, Any]:
    """Follow references, the one option that is no null, and the member of a union that the data name."""
    while True:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        elif "discriminator" in node:
            tag = _get(data, node["discriminator"]["propertyName"])
            node = {"$ref": node["discriminator"]["mapping"][tag]} if tag in _tags_of(node) else {}
        elif "anyOf" in node:
            node = next((n for n in node["anyOf"] if n.get("type") != "null"), {})
        else:
            return node


def _tags_of(node: Mapping[str, Any]) -> list[str]:
    return list(node["discriminator"]["mapping"])


def _keys(schema: Mapping[str, Any], path: Loc, data: Any) -> list[str]:
    return list(_resolved(schema, *_at(schema, path, data)).get("properties", {}))


def _keys_of_tags(schema: Mapping[str, Any], path: Loc, data: Any) -> list[str]:
    node, _ = _at(schema, path, data)
    while "discriminator" not in node:
        node = next(n for n in node["anyOf"] if n.get("type") != "null")
    return _tags_of(node)


def _description(schema: Mapping[str, Any], path: Loc, data: Any) -> str:
    """Return the first sentence that describes a key, as a part of a longer sentence, and the keys of a section."""
    node, value = _at(schema, path, data)
    section = _resolved(schema, node, value)
    text = str(node.get("description") or section.get("description") or f"a value for {path[-1]}")
    first = " ".join(text.split()).split(". ", maxsplit=1)[0].removesuffix(".")
    keys = list(section.get("properties", {}))
    return _lower(first) + (f" (keys: {_listed(keys)})" if keys else "")


def _lower(text: str) -> str:
    """Return text with a small first letter, but for words such as YAML and CHGNet."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
