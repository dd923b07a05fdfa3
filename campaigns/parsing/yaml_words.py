"""Messages about text that is not YAML, which say what to write instead."""

from __future__ import annotations

import re

import yaml

from campaigns.errors import Problem

_KEY = re.compile(r"^(\s*(?:- )?)([A-Za-z_]\w*):\s+(.*\S)\s*$")
_GLUED = re.compile(r"^\s*(?:- )?(\w+):(\S+)\s*$")


def yaml_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    """Return where a text is not YAML, and how to correct it; by default, the parser's own message."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem("YAML", str(error.problem))
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    own = "; ".join(part for part in (error.context, error.problem) if part)
    words = _range(line) or _correction(error, mark, lines) or ""
    return Problem("YAML", words or own, mark.line + 1)


def _range(line: str) -> str:
    """Return how to write a range with a unit behind it, which is no YAML; empty where there is none."""
    found = re.search(r"(\w+):\s*(\[[^\]]*\]\s*[^\s,}#\]][^,}#]*)", line)
    return "" if found is None else f'got {found[2].strip()}; write {found[1]}: "{found[2].strip()}", in quotes'


def _correction(error: yaml.MarkedYAMLError, mark: yaml.Mark, lines: list[str]) -> str | None:
    """Return how to correct an error; None for errors without a message of ours."""
    line = lines[mark.line] if mark.line < len(lines) else ""
    problem, context = error.problem or "", error.context or ""
    start = "" if error.context_mark is None else f" that begins in line {error.context_mark.line + 1}"
    if r"'\t'" in problem or "\t" in line[: len(line) - len(line.lstrip())]:
        return f"a tab character in line {mark.line + 1}; indent with spaces, not tabs"
    if found := re.match(r"found character '(.)' that cannot start", problem):
        return f"text cannot begin with {found[1]}; put it in quotes"
    if "quoted scalar" in context:
        return f"the text in quotes{start} has no closing quotation mark; add it"
    if "flow" in context:
        pair = "{ }" if "mapping" in context else "[ ]"
        return f"the {pair}{start} is not closed, or lacks a comma; {_COLON}" if start else None
    if "mapping values" in problem:
        return _second_colon(line, _before(lines, mark.line))
    return _indented(line, _before(lines, mark.line)) if "block" in context else None


_COLON = "put text with a colon in quotes"


def _before(lines: list[str], place: int) -> tuple[int, str]:
    """Return the nearest line above one that is neither empty nor a comment, and its number."""
    known = [(i + 1, text) for i, text in enumerate(lines[:place]) if text.split("#")[0].strip()]
    return known[-1] if known else (0, "")


def _second_colon(line: str, before: tuple[int, str]) -> str:
    """Return what to do where a colon stands in what is a value already."""
    number, above = before
    found = _KEY.match(line)
    if found is not None and ": " in f"{found[3]} ":
        value = found[3].replace('"', "'")
        return f'{_COLON}: {found[2]}: "{value[:40]}{"..." if len(value) > 40 else ""}"'
    if glued := _GLUED.match(above):
        return f"line {number} lacks a space after the colon; write {glued[1]}: {glued[2]}"
    return _indented(line, before)


def _indented(line: str, before: tuple[int, str]) -> str:
    """Return that a line is indented so that it belongs to nothing."""
    number, above = before
    own, other = (len(text) - len(text.lstrip(" ")) for text in (line, above))
    if own == other:
        return f"does not fit line {number}: a section holds either items of a list (- ...) or keys (key: ...)"
    return (
        f"indented by {own} spaces, but the line above it (line {number}) by {other}, so that it belongs to no "
        "section; indent all keys of a section by the same number of spaces"
    )
