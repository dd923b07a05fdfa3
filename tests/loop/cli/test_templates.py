import shutil
import time
from pathlib import Path

import pytest

from campaigns.errors import CampaignError
from campaigns.load import load_campaign
from loop.cli.templates import Template, templates, write_campaign
from loop.storage.paths import ready_campaigns


def test_every_ready_campaign_is_listed_with_a_question_of_its_own() -> None:
    found = list(templates())
    assert [one.name for one in found] == list(ready_campaigns())
    assert len({one.question for one in found}) == len(found)
    assert all(one.question.endswith("?") and one.question.count("?") == 1 for one in found)
    assert (
        Template("flow", "How much product can a flow reactor give, and how pure?", "4 parameters", "reactor (virtual)")
        in found
    )


@pytest.mark.parametrize("template", ready_campaigns())
def test_a_copy_has_its_own_name_and_is_valid(template: str, tmp_path: Path) -> None:
    (file, *_), _ = write_campaign(template, "mine", tmp_path)
    assert file == tmp_path / "mine.yaml"
    assert load_campaign(file).name == "mine"
    assert f"athanor init {template}" not in file.read_text()


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text("mine")
    with pytest.raises(CampaignError, match=r"NAME: flow\.yaml exists already; move it away first, or give"):
        write_campaign("flow", "flow", tmp_path)
    assert (tmp_path / "flow.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("template", "name", "words"),
    [
        ("flwo", "mine", "--from: got 'flwo', did you mean 'flow'; allowed: alignment, calcination, "),
        ("mine", "mine", "; for a name of your own: athanor init mine --from TEMPLATE"),
        ("flow", "my flow", "NAME: got 'my flow'; allowed: a letter, then letters, digits and _"),
        ("flow", "../flow", "NAME: got '../flow'; allowed: a letter, then letters, digits and _"),
    ],
)
def test_a_wrong_name_is_told_in_words(template: str, name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(CampaignError) as caught:
        write_campaign(template, name, tmp_path)
    assert words in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_a_campaign_names_comes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, here = tmp_path / "shelf", tmp_path / "here"
    shelf.mkdir()
    here.mkdir()
    file = shutil.copy(ready_campaigns()["flow"], shelf / "flow.yaml")
    text = Path(file).read_text() + "\nhistory: [{name: old, kind: table, file: old.csv}]\n"
    Path(file).write_text(text.replace("instruments.analyses.repeated_readings:means", "own:means"))
    (shelf / "old.csv").write_text("a,b\n")
    (shelf / "own.py").write_text("def means(data, context): ...\n")
    (shelf / "other.csv").write_text("not named\n")
    monkeypatch.setattr("loop.cli.templates.ready_campaigns", lambda: {"flow": shelf / "flow.yaml"})
    assert write_campaign("flow", "mine", here) == ([here / "mine.yaml", here / "own.py", here / "old.csv"], [])
    both = [here / "own.py", here / "old.csv"]
    assert write_campaign("flow", "second", here) == ([here / "second.yaml"], both), "the same table serves both"
    (here / "old.csv").write_text("my own")
    with pytest.raises(CampaignError, match=r"old\.csv exists already"):
        write_campaign("flow", "third", here)
    assert not (here / "third.yaml").exists()


def test_the_list_is_there_at_once() -> None:
    started = time.process_time()
    list(templates())
    assert time.process_time() - started < 0.5
