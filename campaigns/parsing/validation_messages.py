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
_MISNAMED: Mapping[str, set[str]] = {
    "type": {"kind", "goal"},
    "min": {"low", "at_least"},
    "minimum": {"low", "at_least"},
    "lower": {"low", "at_least"},
    "max": {"high", "at_most"},
    "maximum": {"high", "at_most"},
    "upper": {"high", "at_most"},
    "values": {"levels"},
    "choices": {"levels"},
    "options": {"levels"},
    "units": {"unit"},
}
"""Keys of other programs, and what is called so here."""
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
    errors = [dict(e) | {"loc": _path(e["loc"], data, schema)} for e in error.errors(include_url=False)]
    found = _merged(_without_echoes(errors))
    return [problem for e in found for problem in (_placed(e) or [_problem(e, data, schema)])]


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
    """Leave out what follows from a problem further inside, which is reported as well.

    A list is too short as its items are wrong; a mapping is not the text that could have stood there instead.
    """
    places = [e["loc"] for e in errors]

    def is_echo(e: dict[str, Any]) -> bool:
        own, other = e["loc"], isinstance(e["input"], Mapping | list) and e["type"] in _WANTED
        return (other or e["type"] == "too_short") and any(len(p) > len(own) and p[: len(own)] == own for p in places)

    return [e for e in errors if not is_echo(e)]


def _merged(errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make one error of those that say of the same value what each member of a union would take."""
    found: dict[Loc, dict[str, Any]] = {}
    apart: list[dict[str, Any]] = []
    for e in errors:
        if e["type"] not in _WANTED:
            apart.append(e)
        else:
            first = found.setdefault(e["loc"], e | {"wanted": ()})
            first["wanted"] += (_WANTED[e["type"]],)
    return sorted((*found.values(), *apart), key=lambda e: [x["loc"] for x in errors].index(e["loc"]))


def _placed(error: dict[str, Any]) -> list[Problem]:
    """Return the problems of a section whose validator states their places."""
    match error.get("ctx"):
        case {"error": PlacedError(placed=placed)}:
            section = dotted(error["loc"])
            return [Problem(f"{section}.{where}" if section else where, message) for where, message in placed]
    return []


def _problem(error: dict[str, Any], data: Any, schema: Mapping[str, Any]) -> Problem:
    path, context, got = error["loc"], error.get("ctx", {}), error["input"]
    match error["type"]:
        case "missing":
            return Problem(dotted(path), f"is missing; needed: {_description(schema, path, data)}")
        case "extra_forbidden":
            allowed = _keys(schema, path[:-1], data)
            return Problem(dotted(path), f"unknown key{_near(str(path[-1]), allowed)}; allowed: {_listed(allowed)}")
        case "union_tag_invalid" | "union_tag_not_found":
            key = context["discriminator"].strip("'")
            choices = _keys_of_tags(schema, path, data)
            return Problem(dotted((*path, key)), _misnamed(key, got, choices) or _choice(context.get("tag"), choices))
        case "literal_error":
            return Problem(dotted(path), _choice(got, _literals(context["expected"])))
    if "wanted" in error:
        return Problem(dotted(path), f"got {shown(got)}; allowed: {', or '.join(dict.fromkeys(error['wanted']))}")
    return Problem(dotted(path), _plain(error["type"], got, context, error["msg"]))


def _plain(kind: str, got: Any, context: Mapping[str, Any], fallback: str) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"got {shown(got)}; allowed: {words} {context[key]:g}"
    if kind == "too_short":
        return f"got {context['actual_length']} items; allowed: at least {context['min_length']}"
    if kind == "too_long":
        return f"got {context['actual_length']} items; allowed: at most {context['max_length']}"
    if kind == "string_pattern_mismatch":
        return f"got {shown(got)}; allowed: {_PATTERNS.get(context['pattern'], context['pattern'])}"
    return f"got {shown(got)}; {fallback[:1].lower()}{fallback[1:]}"


def _choice(got: Any, allowed: list[str]) -> str:
    if got is None:
        return f"is missing; allowed: {_listed(allowed)}"
    return f"got {shown(got)}{suggestion(str(got), allowed)}; allowed: {_listed(allowed)}"


def _near(key: str, allowed: list[str]) -> str:
    """Return which of the allowed keys an unknown one was probably meant for; empty where none is likely."""
    meant = _MISNAMED.get(key, set()).intersection(allowed)
    return f", did you mean {min(meant)!r}" if meant else suggestion(key, allowed)


def _misnamed(key: str, got: Any, choices: list[str]) -> str:
    """Return that a mapping says under another key what it is; empty where it does not say so."""
    given = got if isinstance(got, Mapping) and key not in got else {}
    other = next((name for name, value in given.items() if value in choices or _near(str(name), [key])), None)
    if other is None:
        return ""
    value = shown(given[other])
    if given[other] not in choices:
        value += suggestion(str(given[other]), choices)
    return f"is missing; got {other}: {value}, did you mean {key!r}; allowed: {_listed(choices)}"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"


def _literals(expected: str) -> list[str]:
    """Return the words of pydantic's ``'a', 'b' or 'c'``."""
    return [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]


def _path(loc: Loc, data: Any, schema: Mapping[str, Any]) -> Loc:
    """Return pydantic's location without what stands in no file: tags and members of unions, and '[key]'."""
    path: list[int | str] = []
    for part in loc:
        within = isinstance(data, Mapping) and part in data
        if part == "[key]" or (not within and (part in _tags(data) or _is_member(part, data, schema))):
            continue
        path.append(part)
        data = _get(data, part)
    return tuple(path)


def _tags(data: Any) -> tuple[Any, ...]:
    return (data.get("kind"), data.get("goal")) if isinstance(data, Mapping) else ()


def _is_member(part: int | str, data: Any, schema: Mapping[str, Any]) -> bool:
    """Return whether a part of a location names a member of a union: nothing else lies within a single value."""
    return isinstance(part, str) and (not isinstance(data, Mapping) or "-" in part or part in schema.get("$defs", {}))


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
            options = [n for n in node["anyOf"] if n.get("type") != "null"]
            node = next((n for n in options if isinstance(data, Mapping) and "$ref" in n), (*options, {})[0])
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
