"""What one command writes, every other reads: the table of a campaign's trials, as a start and as allowed settings."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from campaigns.errors import CampaignError
from campaigns.load import load_campaign, parse_campaign
from campaigns.spaces.parameters import FloatConfig
from campaigns.units import convert
from campaigns.values import Candidate, MetricValue, TrialState
from campaigns.warm_start import Source
from loop.core.campaign_records import CampaignRecord
from loop.core.campaign_version import parameter_units
from loop.core.formatting import candidate_text, format_uncertain
from loop.core.proposals import Proposal
from loop.core.records import StepRecord, TrialRecord, TrialResult
from loop.sampling.rounding import tidy
from loop.service.amendment_parser import candidate
from loop.storage.prior_campaigns import read_sources
from loop.storage.reader import Reader
from loop.storage.store import Store
from loop.terminal.trial_tables import trials_csv

LEVELS = ["None", "NA", "true", "1", "a,b", 'say "x"', "#1", "n/a"]
CAMPAIGN: dict[str, Any] = {
    "name": "odd",
    "seed": 1,
    "space": {
        "parameters": {
            "ratio": {"kind": "float", "unit": "1", "low": -1, "high": 1},
            "heat": {"kind": "float", "unit": "degC", "low": 0, "high": 100},
            "gas": {"kind": "categorical", "levels": LEVELS},
            "flow": {"kind": "integer", "low": 0, "high": 9, "when": {"gas": ["None"]}, "otherwise": 0},
        },
        "mixtures": {"m": {"unit": "percent", "total": 100, "components": {"x": {}, "y": {}, "z": {}}}},
    },
    "metrics": {"output": {"kind": "measured", "unit": "1"}},
    "objective": {"terms": [{"goal": "maximise", "metric": "output", "scale": 0.1}]},
    "lab": {"kind": "virtual"},
    "stations": {"furnace": {"kind": "furnace"}},
    "workflow": [
        {
            "name": "make",
            "stations": ["furnace"],
            "recipe": {name: f"${name}" for name in ("ratio", "heat", "gas", "flow", "x", "y", "z")},
            "analysis": "instruments.analyses.galvanostatic:discharge",
            "gives": ["output"],
            "timeout": "1 h",
        }
    ],
    "budget": {"trials": 20},
}

TEXT = yaml.safe_dump(CAMPAIGN, sort_keys=False)


def settings() -> list[dict[str, Any]]:
    share = {"x": 100 / 3, "y": 100 / 3, "z": 100 / 3}
    found = [{"ratio": -0.0, "heat": 1 / 3, "gas": gas, **share} for gas in LEVELS]
    return [each | ({"flow": 3} if each["gas"] == "None" else {}) for each in found]


def trials(folder: Path) -> list[TrialRecord]:
    store = Store(f"sqlite:///{folder / 'odd.db'}")
    store.begin(CampaignRecord("odd", TEXT, 1, "print", 1.7e9), {"torch": "0"})
    for number, setting in enumerate(settings()):
        store.propose(number, Candidate(setting), Proposal("space-filling"), 0.0)
        step = StepRecord("make", 1, "furnace", f"t{number}", TrialState.CLAIMED, None, None, None, "", 0.0)
        store.claim(number, step, 0.0)
        store.mark(f"t{number}", TrialState.DISPATCHED, 0.0)
        store.document(f"t{number}", "event", {"data": {}}, 0.0)
        metrics = {"output": MetricValue(-0.0 if number == 0 else 0.1 * number, 0.0 if number == 2 else 0.01, "1")}
        store.end(number, TrialResult(TrialState.COMPLETED, "", metrics, (), 1.0, 0.1, True), 0.0)
    store.close("")
    return Reader(f"sqlite:///{folder / 'odd.db'}").trials()


def table(folder: Path) -> str:
    text = trials_csv(trials(folder), parameter_units(TEXT))
    (folder / "odd.csv").write_text(text)
    return text


def learnt(folder: Path, **changes: Any) -> Source:
    data = CAMPAIGN | {"warm_start": [{"kind": "table", "name": "before", "file": "odd.csv"}]} | changes
    (folder / "next.yaml").write_text(yaml.safe_dump(data))
    (source,) = read_sources(load_campaign(folder / "next.yaml"))
    return source


@pytest.mark.slow
def test_a_table_of_trials_is_learnt_from_as_it_was_measured(tmp_path: Path) -> None:
    table(tmp_path)
    source = learnt(tmp_path)
    assert [dict(record.candidate.parameters) for record in source.records] == settings()
    assert [record.metrics["output"].value for record in source.records] == [0.1 * n for n in range(len(LEVELS))]
    assert (source.left_out, source.remarks, source.unread) == ((), (), ())
    percent = learnt(tmp_path, metrics={"output": {"kind": "measured", "unit": "percent"}})
    output = percent.records[1].metrics["output"]
    assert (output.value, output.sd, output.unit) == (pytest.approx(10.0), pytest.approx(1.0), "percent")


@pytest.mark.slow
def test_an_uncertainty_that_nobody_stated_is_an_empty_cell_that_is_read_as_it_was(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(table(tmp_path))))
    assert [row["output sd [1]"] for row in rows[:3]] == ["0.01", "0.01", ""]
    assert [record.metrics["output"].sd for record in learnt(tmp_path).records[:3]] == [0.01, 0.01, 0.0]


@pytest.mark.slow
def test_a_table_of_trials_is_a_table_of_allowed_settings(tmp_path: Path) -> None:
    table(tmp_path)
    data = CAMPAIGN | {"space": CAMPAIGN["space"] | {"rows": {"file": "odd.csv"}}}
    (tmp_path / "next.yaml").write_text(yaml.safe_dump(data))
    assert list(load_campaign(tmp_path / "next.yaml").space.table or ()) == settings()


@pytest.mark.slow
def test_no_zero_is_negative_and_every_number_has_its_unit(tmp_path: Path) -> None:
    text = table(tmp_path)
    assert ",-0" not in text
    head = next(csv.reader(io.StringIO(text)))
    assert head[3:10] == ["ratio [1]", "heat [degC]", "gas", "flow [1]", "x [percent]", "y [percent]", "z [percent]"]
    assert head[10:12] == ["output [1]", "output sd [1]"]


@pytest.mark.parametrize("name", ["state", "trial", "material", "score", "generator", "reason", "feasible", "front"])
def test_a_name_that_tables_have_for_something_else_is_refused(name: str) -> None:
    text = TEXT.replace("ratio", name)
    with pytest.raises(
        CampaignError, match=f"'{name}' is a column of every table of trials; allowed: a name that is none"
    ):
        parse_campaign(text, "odd.yaml")
    text = re.sub(r"\boutput\b", name, TEXT)
    with pytest.raises(CampaignError, match=f"metrics.{name}: '{name}' is a column"):
        parse_campaign(text, "odd.yaml")


def test_a_name_of_a_parameter_and_a_metric_is_refused() -> None:
    with pytest.raises(CampaignError, match="'heat' is a parameter as well; allowed: another name"):
        parse_campaign(TEXT.replace("output", "heat"), "odd.yaml")
    with pytest.raises(CampaignError, match="'output_sd' is read as the uncertainty of output in tables"):
        parse_campaign(TEXT.replace("ratio", "output_sd"), "odd.yaml")


def test_rounded_shares_of_a_trial_are_scaled_and_others_refused_with_how_much_they_miss() -> None:
    campaign = parse_campaign(TEXT, "odd.yaml")
    given = {
        "ratio": "-0",
        "heat": "20 degC",
        "gas": "None",
        "flow": "0",
        "x": "33.3",
        "y": "0.333 1",
        "z": "33.3 percent",
    }
    found = candidate(campaign, given)
    assert [found.parameters[name] for name in "xyz"] == pytest.approx([100 / 3] * 3)
    assert campaign.space.contains(found)
    assert str(found.parameters["ratio"]) == "0.0"
    with pytest.raises(CampaignError, match="add up to 97 percent, 3 percent less than the total"):
        candidate(campaign, given | {"x": "30.4"})


@pytest.mark.slow
def test_a_row_that_is_shown_rounded_can_be_asked_for_as_it_is_shown(tmp_path: Path) -> None:
    table(tmp_path)
    data = CAMPAIGN | {"space": CAMPAIGN["space"] | {"rows": {"file": "odd.csv"}}}
    (tmp_path / "next.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    campaign = load_campaign(tmp_path / "next.yaml")
    shown = {"ratio": "0", "heat": "0.3333 degC", "gas": "NA", "x": "33.33", "y": "33.33", "z": "33.33"}
    found = candidate(campaign, shown)
    assert dict(found.parameters) == settings()[1]
    assert not campaign.space.contains(candidate(campaign, shown | {"heat": "0.34"}))


@pytest.mark.parametrize("value", [-0.01, -0.0, 0.0])
def test_a_rounded_zero_is_proposed_shown_and_sent_without_a_sign(value: float) -> None:
    parameter = FloatConfig(kind="float", unit="percent", low=-10, high=100)
    zero = tidy(parameter, value)
    assert str(zero) == "0.0"
    found = Candidate({"a": -0.0, "b": 0})
    assert candidate_text(found, {"a": "percent"}) == "a 0 percent, b 0"
    assert format_uncertain(-0.001, 0.12) == "0.00 ± 0.12"
    assert str(convert(-0.0, "percent", "1")) == "0.0"
