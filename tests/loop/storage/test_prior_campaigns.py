import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, StoreError
from campaigns.load import load_campaign
from campaigns.values import Candidate, MetricValue, TrialState
from campaigns.warm_start import Record, Source
from loop.cli.app import app
from loop.core.campaign_records import CampaignRecord
from loop.core.proposals import Proposal
from loop.core.records import StepRecord, TrialResult
from loop.storage.prior_campaigns import keep_sources, of_pool, read_sources
from loop.storage.row_outcomes import tally
from loop.storage.store import Store
from tests.stores import CAMPAIGN

EARLIER = CAMPAIGN.replace("unit: degC, low: 500, high: 900", "unit: K, low: 800, high: 1200")
HOT = [Candidate({"temperature": 873.15 + number}) for number in range(5)]
NAMED = "warm_start:\n  - {kind: store, name: earlier, file: earlier.db}\n"


def earlier(folder: Path, count: int, source: str = EARLIER, candidates: Sequence[Candidate] = HOT) -> None:
    """A store with completed trials at 873.15 K and above."""
    store = Store(f"sqlite:///{folder / 'earlier.db'}")
    store.begin(CampaignRecord("earlier", source, 1, "print", 1.7e9), {"torch": "0"})
    for number in range(count):
        store.propose(number, candidates[number], Proposal("space-filling"), 0.0)
        step = StepRecord("make", 1, "furnace", f"t{number}", TrialState.CLAIMED, None, None, None, "", 60.0)
        store.claim(number, step, 0.0)
        store.mark(f"t{number}", TrialState.DISPATCHED, 0.0)
        store.document(f"t{number}", "event", {"data": {}}, 0.0)
        metrics = {"capacity": MetricValue(150.0 + number, 2.0, "mAh/g")}
        store.end(number, TrialResult(TrialState.COMPLETED, "", metrics, (), 1.0, 0.1, True), 0.0)
    store.close("")


def written(folder: Path, more: str = NAMED) -> Campaign:
    (folder / "now.yaml").write_text(CAMPAIGN + more)
    return load_campaign(folder / "now.yaml")


def test_a_store_is_read_in_the_units_of_the_campaign(tmp_path: Path) -> None:
    earlier(tmp_path, 4)
    (source,) = read_sources(written(tmp_path))
    assert source.name == "earlier"
    assert [r.candidate.parameters["temperature"] for r in source.records] == pytest.approx([600, 601, 602, 603])
    assert source.records[1].metrics["capacity"] == MetricValue(151.0, 2.0, "mAh/g")


@pytest.mark.parametrize(
    ("count", "source", "message"),
    [
        (2, EARLIER, "got 2 of capacity, within the space; needed: 3"),
        (4, EARLIER.replace("temperature:", "heat:"), "has no parameter temperature; write it as a table"),
        (4, EARLIER.replace("unit: K", "unit: h"), "which is a time; allowed: a temperature"),
        (None, EARLIER, "no store at"),
    ],
)
def test_validate_says_what_is_wrong_with_a_store(tmp_path: Path, count: int | None, source: str, message: str) -> None:
    if count is not None:
        earlier(tmp_path, count, source)
    written(tmp_path)
    result = CliRunner().invoke(app, ["validate", str(tmp_path / "now.yaml")])
    assert result.exit_code == 2
    assert message in re.sub(r"\s+", " ", result.output)
    assert "warm_start[0].file" in result.output


def test_all_sources_are_judged_at_once(tmp_path: Path) -> None:
    campaign = written(tmp_path, NAMED + "  - {kind: table, name: paper, file: paper.csv}\n")
    with pytest.raises(CampaignError) as caught:
        read_sources(campaign)
    assert [p.where for p in caught.value.problems] == ["warm_start[0].file", "warm_start[1].file"]


def test_a_source_that_has_changed_is_refused(tmp_path: Path) -> None:
    earlier(tmp_path, 4)
    (source,) = read_sources(written(tmp_path))
    store = Store(f"sqlite:///{tmp_path / 'now.db'}")
    keep_sources([source], store)
    keep_sources([source], store)
    more = Record(Candidate({"temperature": 700.0}), {"capacity": MetricValue(1.0, 0.1, "mAh/g")})
    with pytest.raises(StoreError, match="earlier has changed since the campaign began: 4 measurements then, 5 now"):
        keep_sources([replace(source, records=(*source.records, more))], store)
    store.close("")


def test_suspected_outliers_of_a_store_are_no_lesson(tmp_path: Path) -> None:
    earlier(tmp_path, 5)
    store = Store(f"sqlite:///{tmp_path / 'earlier.db'}")
    store.set_outliers({2: "capacity 152.0 ± 2.0 mAh/g, but 9999 was expected"})
    store.close("")
    (source,) = read_sources(written(tmp_path))
    assert [r.metrics["capacity"].value for r in source.records] == [150.0, 151.0, 153.0, 154.0]


MIXED = CAMPAIGN.replace(
    "  parameters:\n    temperature: {kind: float, unit: degC, low: 500, high: 900}\n",
    '  mixtures:\n    slurry: {unit: "1", components: {a: {}, b: {}}}\n',
).replace("{temperature: $temperature}", "{a: $a, b: $b}")


def test_a_store_of_a_mixture_is_read(tmp_path: Path) -> None:
    percent = MIXED.replace(
        'unit: "1", components: {a: {}, b: {}}', 'unit: "%", total: 100, components: {a: {}, b: {}}'
    )
    shares = [Candidate({"a": 10.0 * i, "b": 100.0 - 10.0 * i}) for i in range(4)]
    earlier(tmp_path, 4, percent, shares)
    (tmp_path / "now.yaml").write_text(MIXED + NAMED)
    (source,) = read_sources(load_campaign(tmp_path / "now.yaml"))
    assert [r.candidate.parameters["a"] for r in source.records] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert [r.candidate.parameters["b"] for r in source.records] == pytest.approx([1.0, 0.9, 0.8, 0.7])


def test_measurements_of_materials_that_the_pool_lacks_are_told() -> None:
    values = {"capacity": MetricValue(150.0, 2.0, "mAh/g")}
    records = tuple(Record(Candidate({}, name), values, row) for row, name in ((2, "salt"), (3, "Salt"), (4, "salt")))

    def lacks(name: str) -> str:
        return "" if name == "salt" else f"the pool has no material {name!r}, did you mean 'salt'"

    source = of_pool(Source("lab", ("capacity",), records), lacks)
    assert tally(source) == [
        "3 rows: 2 used, 1 left out",
        "row 3: the pool has no material 'Salt', did you mean 'salt'",
    ]
    assert of_pool(source, lacks) == source
