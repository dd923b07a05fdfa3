"""YAML with line numbers: numbers and booleans as YAML 1.2 reads them, duplicate keys refused, key paths to lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from campaigns.errors import Problem

Loc = tuple[int | str, ...]


class _Loader(yaml.SafeLoader):
    """YAML's safe subset; unlike YAML 1.1, ``on`` and ``no`` are text, 1:30 is text and 1e3 is a number."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute


_NUMBER = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", _NUMBER, "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def _decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))  # YAML 1.1 reads 010 as eight


_Loader.add_constructor("tag:yaml.org,2002:int", _decimal)


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A YAML document.

    Attributes:
        data: what it says, in dicts, lists and scalars.
        root: the node tree, which knows the lines; None for an empty document.
        problems: duplicate keys, and decimal commas, which are read as points to find the other problems.
    """

    data: Any
    root: yaml.Node | None
    problems: tuple[Problem, ...]

    def line(self, path: Loc) -> int | None:
        """Return the line, from 1, of the deepest node on ``path`` that exists."""
        if self.root is None:
            return None
        node, line = self.root, self.root.start_mark.line
        for part in path:
            found = _child(node, part)
            if found is None:
                break
            node, line = found
        return int(line) + 1


def read_document(text: str) -> YamlDocument:
    """Read one YAML document.

    Raises:
        yaml.YAMLError: the text is no YAML.
    """
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        commas = () if root is None else tuple(_decimal_commas(root))
        problems = commas if root is None else (*commas, *_duplicates(root))
        data = None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()
    return YamlDocument(data, root, problems)


def dotted(path: Loc) -> str:
    """Return a path as it is shown: ``workflow[0].recipe.temperature``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def parts(where: str) -> Loc:
    """Return the path that ``dotted`` has shown."""
    return tuple(int(number) if number else name for number, name in re.findall(r"\[(\d+)\]|([^.\[\]]+)", where))


def _child(node: yaml.Node, part: int | str) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child = node.value[part]
        return child, child.start_mark.line
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return value, key.start_mark.line
    return None


def _mappings(node: yaml.Node, path: Loc, seen: set[int]) -> Iterator[tuple[yaml.MappingNode, Loc]]:
    """Yield each mapping of a document once, with its path; whoever asks may change its pairs before going on."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            yield from _mappings(item, (*path, i), seen)
    if isinstance(node, yaml.MappingNode):
        yield node, path
        for key, value in node.value:
            yield from _mappings(value, (*path, str(key.value)), seen)


def _duplicates(root: yaml.Node) -> Iterator[Problem]:
    """Yield the keys that a mapping has twice."""
    for node, path in _mappings(root, (), set()):
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if str(key.value) in first:
                message = f"is given twice, first in line {first[str(key.value)]}; allowed: once"
                yield Problem(dotted((*path, str(key.value))), message, line)
            first.setdefault(str(key.value), line)


def _decimal_commas(root: yaml.Node) -> Iterator[Problem]:
    """Yield the decimal commas in flow mappings, such as ``{low: 0,97}``, and put points in their place."""
    for node, path in _mappings(root, (), set()):
        if not node.flow_style:
            continue
        pairs: list[tuple[yaml.Node, yaml.Node]] = []
        for key, value in node.value:
            if pairs and _is_fraction(pairs[-1][1], key, value):
                name, whole = pairs.pop()
                pairs.append((name, _pointed(whole, key)))
                wrong = f"{name.value}: {whole.value},{key.value}"
                message = f"got {wrong}; numbers are written with a point: {name.value}: {whole.value}.{key.value}"
                yield Problem(dotted((*path, str(name.value))), message, name.start_mark.line + 1)
            else:
                pairs.append((key, value))
        node.value = pairs


def _is_fraction(whole: yaml.Node, key: yaml.Node, value: yaml.Node) -> bool:
    """Return whether a key without a value is what stands behind the decimal comma of the value before it."""
    scalars = isinstance(whole, yaml.ScalarNode) and isinstance(key, yaml.ScalarNode) and value.value == ""
    return scalars and bool(re.fullmatch(r"[-+]?\d+", whole.value) and re.fullmatch(r"\d+(\s*[^\d\s].*)?", key.value))


def _pointed(whole: yaml.Node, rest: yaml.Node) -> yaml.ScalarNode:
    text = f"{whole.value}.{rest.value}"
    kind = "float" if re.fullmatch(_NUMBER, text) else "str"
    return yaml.ScalarNode(f"tag:yaml.org,2002:{kind}", text, whole.start_mark, rest.end_mark)
