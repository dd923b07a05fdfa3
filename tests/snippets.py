"""The fenced blocks of a page, and a folder in which they are played as a reader would.

``bash``: ``athanor``, ``python`` and ``cp`` are run, a comment says which exit code is expected; ``make`` must have the
target.
``text``: the lines stand in this order in the output of the block before it; ``...`` stands for anything, a number for
any number. ``yaml``, ``python`` and ``csv`` with a title go into that file: YAML replaces the top-level keys that it
has, and adds those that the file has not; a file that is not there is begun.
"""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.forks import Program, be_athanor

ROOT = Path(__file__).parents[1]
NUMBER = re.compile(r"-?\d+(?:[.:,]\d+)*(?:e[-+]?\d+)?")


@dataclass(frozen=True)
class Snippet:
    """One fenced block: where it stands, its language, the file that it goes to, and what it says."""

    where: str
    language: str
    title: str
    text: str


def snippets(page: Path) -> list[Snippet]:
    """Return a page's fenced blocks in order."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r'^```(\S*)(?: title="([^"]+)")?\n(.*?)^```$', text, flags=re.MULTILINE | re.DOTALL)
    return [Snippet(f"{page.name}:{text[: m.start()].count(chr(10)) + 1}", m[1], m[2] or "", m[3]) for m in found]


def make_targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


def with_sections(campaign: str, fragment: str) -> str:
    """Return a campaign file in which a fragment's top-level keys stand for those of the file, or are added."""
    for key in yaml.safe_load(fragment):
        section = rf"^{key}:.*?(?=^[a-z#]|\Z)"
        (new,) = re.findall(section, fragment, flags=re.MULTILINE | re.DOTALL)
        campaign, count = re.subn(section, new.replace("\\", r"\\"), campaign, flags=re.MULTILINE | re.DOTALL)
        assert count <= 1, key
        campaign += "" if count else f"\n{new}"
    return campaign


class Reader:
    """Someone who does what a page says, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.output = folder, ""

    def follow(self, snippet: Snippet) -> None:
        """Do what a block says, and check what it claims."""
        match snippet.language:
            case "bash":
                self.output = "".join(self._command(line, snippet.where) for line in snippet.text.splitlines())
            case "text":
                self._compare(snippet)
            case "yaml" | "python" | "csv":
                self._write(snippet)
            case language:
                raise AssertionError(
                    f"{snippet.where}: got language {language!r}; allowed: bash, text, yaml, python, csv"
                )

    def _command(self, line: str, where: str) -> str:
        words = shlex.split(line, comments=True)
        match words:
            case [] | ["source", ".venv/bin/activate"] | ["pip", "install", "."] | ["pre-commit", "install"]:
                return ""
            case ["make", *targets]:
                assert {target for target in targets if "=" not in target} <= make_targets(), where
                return ""
            case ["cp", source, target]:
                shutil.copy(self.folder / source, self.folder / target)
                return ""
            case ["python", script]:
                return self._forked(0, where, _script, script)
            case ["athanor", *arguments]:
                expected = re.search(r"# exit code (\d+)", line)
                return self._forked(int(expected[1]) if expected else 0, where, be_athanor, *arguments)
        raise AssertionError(f"{where}: nobody checks {line!r}; allowed: athanor, python, cp, make, and a few more")

    def _forked(self, code: int, where: str, program: Callable[..., None], *words: str) -> str:
        text, ended = Program(self.folder, program, *words).end()
        assert ended == code, f"{where}: {words} ended with {ended}\n{text[-3000:]}"
        return text

    def _compare(self, snippet: Snippet) -> None:
        if not self.output:
            return  # what came before was make, which the gate does not call
        got = iter([_normal(line) for line in self.output.splitlines()])
        for line in filter(None, map(_normal, snippet.text.splitlines())):
            pattern = re.escape(line).replace(re.escape("..."), ".*")
            found = any(re.fullmatch(pattern, other) for other in got)
            assert found, f"{snippet.where}: {line!r} does not come (in this order) in\n{self.output}"

    def _write(self, snippet: Snippet) -> None:
        if snippet.language == "python":
            compile(snippet.text, snippet.where, "exec")
        if not snippet.title:
            return
        file = self.folder / snippet.title
        if snippet.language in ("python", "csv"):
            file.write_text(snippet.text, encoding="utf-8")
        else:
            before = file.read_text(encoding="utf-8") if file.exists() else ""
            file.write_text(with_sections(before, snippet.text), encoding="utf-8")


def _script(script: str) -> None:
    """Be Python with a script."""
    runpy.run_path(script, run_name="__main__")


def _normal(line: str) -> str:
    """Return a line with every number as #, and single spaces."""
    return NUMBER.sub("#", " ".join(line.split()))
