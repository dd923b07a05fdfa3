"""Lists of candidates of which some are measured already: rows of a table, and crystals in files."""

import itertools
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.load import load_campaign
from loop.cli.import_command import import_table
from loop.core.events import Proposed, SourceRead
from loop.core.proposals import IMPORTED
from loop.storage.journal_writer import Journal
from loop.storage.reader import Reader
from loop.storage.store import Store
from loop.validation.preflight import check_history
from loop.validation.unreachable import unreachable
from tests.forks import forked
from tests.loop.conftest import Bench, only_step
from tests.stores import CAMPAIGN
from tests.surrogates.pools.crystal_files import salt


def campaign(folder: Path, space: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a campaign that is never run, with a history in measured.csv."""
    return {
        "name": "listed",
        "seed": 1,
        "space": space,
        "metrics": {"merit": {"kind": "measured", "unit": "1"}},
        "objective": {"terms": [{"goal": "maximise", "metric": "merit", "scale": 1.0}]},
        "history": [{"kind": "table", "name": "notebook", "file": str(folder / "measured.csv")}],
        "lab": {"kind": "virtual"},
        "stations": {"furnace_1": {"kind": "furnace"}},
        "workflow": [only_step(["merit"], space.get("parameters", {}))],
        "budget": {"trials": 40},
    } | changes


def proposed(bench: Bench, data: dict[str, Any], count: int) -> list[Proposed]:
    """Return what would be proposed next."""
    bench.run(data, dry_run=True, max_trials=count)
    return [event for event in bench.events if isinstance(event, Proposed)]


@pytest.mark.slow
def test_rows_of_a_list_that_are_measured_already_are_not_proposed_again(bench: Bench) -> None:
    rows = [(i / 10, j / 5) for i, j in itertools.product(range(6), range(4))]
    value = {(x, y): 10 - (x - 0.3) ** 2 - (y - 0.4) ** 2 for x, y in rows}
    cells = [f"{x},{y},{value[x, y] if i < 12 else ''}" for i, (x, y) in enumerate(rows)]
    (bench.folder / "measured.csv").write_text("\n".join(["x,y,merit", *cells]))
    numbers = {name: {"kind": "float", "unit": "1", "low": 0, "high": 1} for name in "xy"}
    space = {"parameters": numbers, "rows": {"file": str(bench.folder / "measured.csv")}}
    found = proposed(bench, campaign(bench.folder, space), 12)
    assert [event.trial for event in found] == list(range(12, 24))
    assert {event.proposal.generator for event in found} == {"model"}
    assert {tuple(event.candidate.parameters.values()) for event in found} == set(rows[12:])
    told = [event.text for event in bench.events if isinstance(event, SourceRead)]
    assert told[0].endswith("measured.csv: 24 rows: 12 used, 12 left out")
    assert told[1] == "rows 14-25: has no value of merit"


@pytest.mark.slow
def test_of_a_folder_of_crystals_those_that_are_measured_are_not_proposed_and_the_model_chooses(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATHANOR_CACHE", str(bench.folder / "cache"))
    (bench.folder / "crystals").mkdir()
    names = []
    for metal, halogen in itertools.product(("Li", "Na", "K", "Rb", "Cs", "Ag"), ("F", "Cl", "Br", "I")):
        names.append(f"{metal}{halogen}")
        salt(metal, halogen).to(filename=str(bench.folder / "crystals" / f"{names[-1]}.cif"))
    measured = names[::2]
    lines = ["material,merit", *(f"{name},{len(names) - i}" for i, name in enumerate(measured)), "UF,3"]
    (bench.folder / "measured.csv").write_text("\n".join(lines))
    pool = {"pool": {"kind": "folder", "folder": str(bench.folder / "crystals")}}
    found = proposed(bench, campaign(bench.folder, pool, surrogate={"features": [{"kind": "composition"}]}), 5)
    assert {event.proposal.generator for event in found} == {"model"}
    assert not {event.candidate.material for event in found} & set(measured)
    told = [event.text for event in bench.events if isinstance(event, SourceRead)]
    assert told[1].startswith("row 14: the pool has no material 'UF'")


def test_with_few_measurements_the_start_goes_on_where_they_end(bench: Bench) -> None:
    rows = ["x,merit", *(f"{x / 10},{x}" for x in (0, 3, 3, 7)), "2.5,9"]  # a replicate, and one far outside
    (bench.folder / "measured.csv").write_text("\n".join(rows))
    space = {"parameters": {"x": {"kind": "float", "unit": "1", "low": 0, "high": 1}}}
    found = proposed(bench, campaign(bench.folder, space, planner={"initial": 5}), 3)
    assert [event.proposal.generator for event in found] == ["space-filling", "space-filling", "model"]


@pytest.mark.slow
@pytest.mark.parametrize("at_most", [2, None])
def test_mixtures_beyond_what_may_be_chosen_are_learnt_from_and_not_proposed(bench: Bench, at_most: int | None) -> None:
    shares = [
        (0.3, 0.7, 0),
        (0.2, 0.3, 0.5),
        (0.333, 0.667, 0),
        (0, 1, 0),
        (0, 0.05, 0.95),
        (0.7, 0.3, 0),
        (0.1, 0.9, 0),
    ]
    rows = [f"{a},{b},{c},{10 * a + 5 * c}" for a, b, c in shares]
    (bench.folder / "measured.csv").write_text("\n".join(["a,b,c,merit", *rows, "-0.1,1,0.1,3", "0.5,0.4,0,3"]))
    components = {"a": {"high": 0.3}, "b": {"low": 0.1}, "c": {}}
    space = {"mixtures": {"mix": {"total": 1, "components": components, "at_most": at_most}}}
    workflow = [only_step(["merit"], components)]
    data = campaign(bench.folder, space, planner={"initial": 3}, workflow=workflow)
    found = proposed(bench, data, 4)
    assert {event.proposal.generator for event in found} == {"model"}
    assert all(Campaign(**data).space.contains(event.candidate) for event in found)
    told = "\n".join(event.text for event in bench.events if isinstance(event, SourceRead))
    assert "9 rows: 6 used, 3 left out" in told
    assert "row 7: a lies far outside of the space" in told
    assert "row 4: a lies outside of the space (allowed: numbers from 0 to 0.3): the models use it" in told
    assert "allowed: 0.1 to 1" in told or "b lies outside of the space" in told
    assert ("row 3: 3 components of mix are there; allowed: at most 2: the models use it" in told) == (at_most == 2)


@pytest.mark.slow
def test_with_cheap_versions_the_start_is_over_once_enough_is_measured(bench: Bench) -> None:
    space = {"parameters": {"x": {"kind": "float", "unit": "1", "low": 0, "high": 1}}}
    cheap = {"guess": {"kind": "computed", "function": "tests.loop.picky:nothing", "gives": ["merit"], "cost": 1}}
    data = campaign(bench.folder, space, planner={"initial": 4}, fidelities=cheap)
    data["workflow"][0]["cost"] = 100
    (bench.folder / "measured.csv").write_text("x,merit\n0.1,1\n")
    assert proposed(bench, data, 1)[-1].proposal.fidelity == "guess"
    (bench.folder / "measured.csv").write_text("x,merit\n" + "".join(f"0.{x},{x}\n" for x in range(5)))
    assert proposed(bench, data, 1)[-1].proposal.generator == "model"


def test_validate_says_what_of_the_history_is_new_and_refuses_what_run_refuses(bench: Bench) -> None:
    (bench.folder / "measured.csv").write_text("temperature,capacity\n600,1\n700,2\n800,3\n")
    text = CAMPAIGN + "history:\n  - {kind: table, name: notebook, file: measured.csv}\n"
    (bench.folder / "small.yaml").write_text(text + "planner: {initial: 10}\n")
    told = check_history(load_campaign(bench.folder / "small.yaml"), bench.folder / "small.yaml")
    assert told == ["measured.csv: 3 rows: 3 used, 0 left out"]
    assert not list(unreachable(load_campaign(bench.folder / "small.yaml")))  # the start may be measured already
    list(import_table(bench.folder / "measured.csv", bench.folder / "small.yaml", None, "x"))
    told = check_history(load_campaign(bench.folder / "small.yaml"), bench.folder / "small.yaml")
    assert told[-1] == "0 new, 3 already there"
    (bench.folder / "measured.csv").write_text("temperature,capacity\n600,1\n700,2.5\n800,3\n")
    with pytest.raises(CampaignError, match=r"measured.csv row 3 \(temperature 700: capacity 2 mAh/g\) is trial 1"):
        check_history(load_campaign(bench.folder / "small.yaml"), bench.folder / "small.yaml")


def killed(folder: Path, method: str) -> None:
    """Import a table, and die before or after it is written."""
    real = getattr(Journal if method == "amend" else Store, method)

    def die(self: Store, *arguments: Any) -> Any:
        found = real(self, *arguments)
        signal.raise_signal(signal.SIGKILL)
        return found

    setattr(Journal if method == "amend" else Store, method, die)
    list(import_table(folder / "old.csv", folder / "small.yaml", None, "x"))


def imported(folder: Path) -> None:
    list(import_table(folder / "old.csv", folder / "small.yaml", None, "x"))


@pytest.mark.slow
def test_an_import_that_is_killed_is_finished_by_the_next_one(tmp_path: Path) -> None:
    for method in ("create_campaign", "amend", "import_trials"):
        folder = tmp_path / method
        folder.mkdir()
        (folder / "small.yaml").write_text(CAMPAIGN)
        (folder / "old.csv").write_text("temperature [K],capacity [mAh/g]\n873.15,150\n973.15,170\n973.15,170\n")
        assert forked(killed, folder, method) == -signal.SIGKILL
        assert forked(imported, folder) == 0
        reader = Reader(f"sqlite:///{folder / 'small.db'}")
        assert [(t.number, t.proposal.generator) for t in reader.trials()] == [(n, IMPORTED) for n in range(3)]
        assert [a.first for a in reader.amendments()] == [0]


@pytest.mark.slow
def test_trials_that_were_to_be_completed_when_a_run_was_killed_are_completed_by_the_next(tmp_path: Path) -> None:
    for method in ("amend", "complete"):
        folder = tmp_path / method
        folder.mkdir()
        (folder / "small.yaml").write_text(CAMPAIGN)
        (folder / "old.csv").write_text("temperature,capacity\n600,150\n700,170\n")
        imported(folder)
        (folder / "old.csv").write_text("temperature,capacity,capacity sd\n600,150,2\n700,170,2\n800,180,2\n")
        assert forked(killed, folder, method) == -signal.SIGKILL
        assert forked(imported, folder) == 0
        reader = Reader(f"sqlite:///{folder / 'small.db'}")
        assert [t.metrics["capacity"].sd for t in reader.trials()] == [2.0] * 3
        assert [a.first for a in reader.amendments()] == [0, 2, 0]


@pytest.mark.slow
def test_a_table_without_a_metric_that_the_score_needs_is_learnt_from(bench: Bench) -> None:
    space = {"parameters": {"x": {"kind": "float", "unit": "1", "low": 0, "high": 1}}}
    metrics = {name: {"kind": "measured", "unit": "1"} for name in ("merit", "purity")}
    data = campaign(bench.folder, space, metrics=metrics, planner={"initial": 3})
    data["objective"]["constraints"] = [{"metric": "purity", "at_least": 0.5}]
    data["workflow"] = [only_step(["merit", "purity"], ["x"])]
    lines = ["x,merit,purity", "0.1,1,0.9", "0.2,2,0.8", "0.3,3,0.7", "0.5,5,", "0.9,,0.1"]
    (bench.folder / "measured.csv").write_text("\n".join(lines))
    (found,) = proposed(bench, data, 1)
    assert found.proposal.generator == "model"
    assert found.proposal.models["merit"]["observations"] == 4
    assert found.proposal.models["purity"]["observations"] == 4
    told = [event.text for event in bench.events if isinstance(event, SourceRead)]
    assert "row 5: has no value of purity: the models use the rest" in told
    (bench.folder / "measured.csv").write_text("x,merit\n0.1,1\n0.2,2\n0.3,3\n")
    assert proposed(bench, data, 1)[-1].proposal.generator == "space-filling"
    assert any("nothing is there of purity" in event.text for event in bench.events if isinstance(event, SourceRead))
