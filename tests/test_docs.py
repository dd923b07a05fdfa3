import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from campaigns.load import parse_campaign
from loop.cli.app import app
from loop.cli.exit_codes import ExitCode
from tests.snippets import ROOT, Reader, make_targets, snippets, with_sections

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
FILE = re.compile(r"`((?:campaigns|instruments|surrogates|simulators|loop|tests|benchmarks|docs|\.ci)/[\w./*-]*)`")


def commands() -> dict[str, Any]:
    found: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return found


def name(page: Path) -> str:
    return page.name


@pytest.mark.slow
@pytest.mark.timeout(900)  # the tutorial runs seven campaigns
@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_reader_can_do_what_a_page_says(page: Path, tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    for snippet in snippets(page):
        reader.follow(snippet)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_yaml_without_a_title_fits_into_the_cathode_campaign(page: Path) -> None:
    cathode = (ROOT / "campaigns" / "cathode.yaml").read_text(encoding="utf-8")
    for snippet in snippets(page):
        if snippet.language == "yaml" and not snippet.title:
            parse_campaign(with_sections(cathode, snippet.text), snippet.where)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_local_link_leads_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        if anchor:
            assert anchor in headings(file), (target, anchor)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    for file in FILE.findall(page.read_text(encoding="utf-8")):
        assert list(ROOT.glob(file.rstrip("/"))), file


def test_the_documentation_names_every_command_and_no_other() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"\bathanor ([a-z]+)\b", text))
    assert named >= set(commands())
    code = "\n".join(re.findall(r"`[^`\n]+`", text)) + "\n".join(s.text for page in PAGES for s in snippets(page))
    assert set(re.findall(r"\bathanor ([a-z]+)\b", code)) <= set(commands())


def test_the_readme_has_every_exit_code_with_its_meaning() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = {int(code): meaning for code, meaning in re.findall(r"^\| (\d+) \| (.+) \|$", text, flags=re.MULTILINE)}
    assert table == {code.value: code.meaning for code in ExitCode}


def test_the_readme_shows_the_two_commands_and_a_picture_of_a_finished_campaign() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.index("make demo") < text.index("make test")
    (picture,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert (ROOT / picture).read_bytes().startswith(b"\x89PNG")


def recipe(target: str) -> list[str]:
    """Return the commands of a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (lines,) = re.findall(rf"^{target}: .*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in lines.splitlines()]


def test_the_hooks_are_the_gate() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == recipe("static") + recipe("test")


def test_what_is_run_while_working_is_the_gate_without_the_slow_tests() -> None:
    (whole,) = recipe("test")
    assert recipe("check") == [f'{whole} -m "not slow"']


def test_continuous_integration_runs_the_gate() -> None:
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == "exec make test"
    assert {"demo", "check", "test", "bench", "check-install", "clean"} <= make_targets()


def test_the_changelog_begins_with_this_version() -> None:
    (version,) = re.findall(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    headings_of = re.findall(r"^## \[?([\w.]+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings_of[0] in ("Unreleased", version)
    assert version in headings_of


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", title.lower()).strip().replace(" ", "-") for title in found}
