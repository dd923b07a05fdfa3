from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.load import load_campaign, parse_campaign
from loop.storage.paths import ready_campaigns
from tests.strategies import campaigns

READY = list(ready_campaigns().values())

SMALL = """\
name: small
seed: 1
space:
  parameters:
    temperature: {kind: float, unit: degC, low: 500, high: 900}
    time: {kind: float, unit: h, low: 2, high: 48, scale: log}
metrics:
  capacity: {kind: measured, unit: mAh/g}
objective:
  terms:
    - {goal: maximise, metric: capacity, scale: 10 mAh/g}
lab: {kind: virtual}
stations:
  furnace: {kind: furnace}
workflow:
  - name: make
    stations: [furnace]
    recipe: {temperature: $temperature, time: $time}
    analysis: instruments.analyses.calcination:phase_fraction
    gives: [capacity]
    timeout: 10 h
budget: {trials: 5}
"""


def problems(text: str) -> list[tuple[int | None, str, str]]:
    with pytest.raises(CampaignError) as caught:
        parse_campaign(text, "small.yaml")
    return [(p.line, p.where, p.message) for p in caught.value.problems]


def only(text: str) -> tuple[int | None, str, str]:
    found = problems(text)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_every_ready_campaign_is_valid(path: Path) -> None:
    assert load_campaign(path).name == path.stem


@pytest.mark.slow
@settings(max_examples=40)
@given(campaigns())
def test_a_campaign_survives_being_written_and_read(data: dict[str, Any]) -> None:
    campaign = Campaign.model_validate(data)
    text = yaml.safe_dump(campaign.model_dump(mode="json"), allow_unicode=True)
    assert parse_campaign(text, "drawn.yaml") == campaign


def test_a_missing_section_is_named_with_its_keys() -> None:
    said = {where: message for _, where, message in problems("name: small\nseed: 1\n")}
    limits = "limits on trials, time and cost, at which the campaign stops"
    assert said["budget"] == f"is missing; needed: {limits} (keys: trials, wall_time, cost)"
    assert said["workflow"] == "is missing; needed: the steps of every trial, in order"


@pytest.mark.parametrize(
    ("old", "new", "line", "where", "message"),
    [
        ("seed: 1", "sed: 1", 2, "sed", "unknown key, did you mean 'seed'; allowed: name, "),
        ("low: 500", "low: 1 eV", 5, "space.parameters.temperature.low", "which is an energy; allowed: a temperature"),
        ("low: 500", "low: hot", 5, "space.parameters.temperature.low", "got 'hot', which is no quantity"),
        ("low: 500", "low: true", 5, "space.parameters.temperature.low", "allowed: a number"),
        ("unit: h", "unit: hous", 6, "space.parameters.time.unit", "unknown unit 'hous', did you mean 'hour'"),
        ("scale: log", "scale: lin", 6, "space.parameters.time.scale", "did you mean 'linear'; allowed: linear, log"),
        (
            "scale: log",
            "scal: log",
            6,
            "space.parameters.time.scal",
            "unknown key, did you mean 'scale'; allowed: kind",
        ),
        ("low: 2, high: 48", "high: 48", 6, "space.parameters.time.low", "is missing; needed: smallest value"),
        ("kind: measured", "kind: measrd", 8, "metrics.capacity.kind", "did you mean 'measured'; allowed: computed, "),
        ("kind: measured, ", "", 8, "metrics.capacity.kind", "is missing; allowed: computed, derived, measured"),
        (
            "kind: measured",
            "type: measured",
            8,
            "metrics.capacity.kind",
            "is missing; got type: 'measured', did you mean 'kind'; allowed: computed, ",
        ),
        ("{kind: float", "{type: flaot", 5, "space.parameters.temperature.kind", "'flaot', did you mean 'float', did"),
        ("goal: maximise", "kind: maximise", 11, "objective.terms[0].goal", "'maximise', did you mean 'goal'; allo"),
        ("{kind: furnace}", "{type: furnace}", 14, "stations.furnace.type", "unknown key, did you mean 'kind'; allo"),
        ("low: 500", "min: 500", 5, "space.parameters.temperature.min", "unknown key, did you mean 'low'; allowed"),
        (
            "10 mAh/g}",
            "10 K}",
            11,
            "objective.terms[0].scale",
            "which is a temperature; allowed: a quantity like mAh/g",
        ),
        ("metric: capacity", "metric: capcity", 11, "objective.terms[0].metric", "did you mean 'capacity'"),
        ("{kind: virtual}", "virtual", 12, "lab", "got 'virtual'; allowed: a mapping"),
        ("{kind: furnace}", "{kind: furnce}", 14, "stations.furnace.kind", "got 'furnce', did you mean 'furnace'"),
        ("[furnace]", "[]", 17, "workflow[0].stations", "got 0 items; allowed: at least 1"),
        ("$time", "$tim", 18, "workflow[0].recipe.time", "unknown name 'tim', did you mean 'time'"),
        (":phase_f", ":phase_v", 19, "workflow[0].analysis", "has no phase_vraction, did you mean 'phase_fraction'"),
        (".calcination:", ".calcined:", 19, "workflow[0].analysis", "there is no module instruments.analyses.calcined"),
        ("10 h", "-10 h", 21, "workflow[0].timeout", "allowed: above 0"),
        ("10 h", "10 K", 21, "workflow[0].timeout", "which is a temperature; allowed: a time"),
        ("trials: 5", "trials: many", 22, "budget.trials", "got 'many'; allowed: a whole number"),
        ("trials: 5", "trials: 5.5", 22, "budget.trials", "got 5.5; allowed: a whole number"),
        ("seed: 1", "seed: 1\nname: again", 3, "name", "is given twice, first in line 1"),
        ("temperature: {kind", "class: {kind", 5, "space.parameters.class", "a keyword of Python"),
        ("temperature: {kind", "a b: {kind", 5, "space.parameters.a b", "a name of letters, digits and _"),
        ("mAh/g}", "mAh/g, prior: 3}", 8, "metrics.capacity.prior", "got 3; allowed: text, or a mapping, key: value"),
        ("mAh/g}", "mAh/g, prior: {of: 1}}", 8, "metrics.capacity.prior.of", "unknown key; allowed: model"),
        ("mAh/g}", "mAh/g, within: 3}", 8, "metrics.capacity.within", "got 3; allowed: two numbers, such as [0, 400]"),
        ("mAh/g}", "mAh/g, within: [1, 2, 3]}", 8, "metrics.capacity.within", "got [1, 2, 3]; allowed: two numbers"),
    ],
)
def test_a_mistake_is_found_at_its_line_in_plain_words(old: str, new: str, line: int, where: str, message: str) -> None:
    assert old in SMALL
    found = problems(SMALL.replace(old, new, 1))
    assert any((at, key) == (line, where) and message in said for at, key, said in found), found


def test_a_value_that_no_member_of_a_union_takes_is_one_problem_and_a_wrong_mapping_is_told_by_its_keys() -> None:
    (single,) = problems(SMALL.replace("mAh/g}", "mAh/g, prior: 3}", 1))
    assert single[1] == "metrics.capacity.prior"
    inner = problems(SMALL.replace("mAh/g}", "mAh/g, prior: {of: 1}}", 1))
    assert sorted(where for _, where, _ in inner) == ["metrics.capacity.prior.model", "metrics.capacity.prior.of"]


def test_the_limits_of_a_metric_may_be_text_with_one_unit() -> None:
    plan = parse_campaign(SMALL.replace("mAh/g}", "mAh/g, within: 0 to 0.4 Ah/g}", 1), "small.yaml")
    assert plan.measured["capacity"].within == (0.0, 400.0)


def test_every_mistake_is_shown_at_once() -> None:
    text = SMALL.replace("seed: 1", "seed: one").replace("$time", "$tim").replace("metric: capacity", "metric: speed")
    text = text.replace("{trials: 5}", "{trials: 0}").replace("unit: h", "unit: hous")
    # $tim shows once the parameters can be read.
    assert {line for line, _, _ in problems(text)} == {2, 6, 11, 22}
    assert {line for line, _, _ in problems(text.replace("hous", "h"))} == {2, 6, 11, 18, 22}


def test_errors_are_shown_as_file_line_key_message_in_the_order_of_the_file() -> None:
    text = SMALL.replace("{trials: 5}", "{trials: 0}").replace("seed: 1", "seed: -1")
    with pytest.raises(CampaignError) as caught:
        parse_campaign(text, "small.yaml")
    assert str(caught.value).splitlines() == [
        "small.yaml:2: seed: got -1; allowed: at least 0",
        "small.yaml:22: budget.trials: got 0; allowed: above 0",
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", None, "got nothing; allowed: a mapping"),
        ("- 1", 1, "got a list; allowed: a mapping"),
        ("name: x\nseed: [1", 2, r"the [ ] that begins in line 2 is not closed"),
        ("a:\n\tb: 1", 2, "a tab character in line 2"),
        ("name: *x", 1, "undefined alias"),
        ("a: 1\n---\nb: 1", 2, "another document"),
        ("{" * 3000, None, "nested too deeply"),
        ("a: \x00", None, "unacceptable character"),
        ("a: !!python/object:os.system 1", 1, "could not determine a constructor"),
    ],
)
def test_what_is_no_campaign_at_all_is_refused_with_its_line(text: str, line: int | None, message: str) -> None:
    at, _, said = only(text)
    assert at == line
    assert message in said


def test_yaml_1_2_words_and_numbers_are_read_as_a_person_means_them() -> None:
    text = SMALL.replace(
        "time: {kind: float, unit: h, low: 2, high: 48, scale: log}", "time: {kind: categorical, levels: [on, no]}"
    )
    parameter = parse_campaign(text.replace("low: 500", "low: 5e2"), "small.yaml").space.parameters
    assert parameter["time"].at(0.0) == "on"
    assert parameter["temperature"].at(0.0) == 500.0


def test_a_unit_of_bare_one_is_dimensionless() -> None:
    campaign = parse_campaign(SMALL.replace("mAh/g", "1"), "small.yaml")
    assert campaign.metrics["capacity"].unit == "1"


def test_modules_beside_the_campaign_are_found(tmp_path: Path) -> None:
    (tmp_path / "own_lab.py").write_text("try:\n    from x import measure\nexcept ImportError:\n    measure = None\n")
    file = tmp_path / "small.yaml"
    file.write_text(SMALL.replace("instruments.analyses.calcination:phase_fraction", "own_lab:measure"))
    assert load_campaign(file).workflow[0].analysis == "own_lab:measure"
    file.write_text(SMALL.replace("instruments.analyses.calcination:phase_fraction", "own_lab:measures"))
    with pytest.raises(CampaignError, match="own_lab has no measures, did you mean 'measure'"):
        load_campaign(file)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="'athanor init' writes one"):
        load_campaign(tmp_path / "none.yaml")
    with pytest.raises(CampaignError, match="cannot be read"):
        load_campaign(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(CampaignError, match="cannot be read"):
        load_campaign(tmp_path / "latin.yaml")


@pytest.mark.slow
@settings(max_examples=60)
@given(st.data())
def test_a_broken_file_is_a_campaign_error_and_never_a_crash(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SMALL)))
    stop = min(len(SMALL), start + data.draw(st.integers(0, 12)))
    text = SMALL[:start] + data.draw(st.text("{}[]:,$*&!|>-\n \t'\"0aé", max_size=6)) + SMALL[stop:]
    try:
        parse_campaign(text, "broken.yaml")
    except CampaignError as error:
        assert error.problems  # noqa: PT017 - a harmless change may leave the file valid


def test_a_campaign_cannot_be_changed_after_it_was_checked() -> None:
    campaign = parse_campaign(SMALL, "small.yaml")
    with pytest.raises(ValidationError, match="frozen"):
        campaign.seed = 2


def test_an_item_that_is_wrong_does_not_make_its_list_too_short() -> None:
    with pytest.raises(CampaignError) as raised:
        parse_campaign(SMALL + "surrogate: {features: [{kind: chgnet, weights: '0.9'}]}\n", "small.yaml")
    assert [problem.where for problem in raised.value.problems] == ["surrogate.features[0].weights"]


def test_a_list_without_items_is_too_short() -> None:
    with pytest.raises(CampaignError, match=r"surrogate\.features: got 0 items; allowed: at least 1"):
        parse_campaign(SMALL + "surrogate: {features: []}\n", "small.yaml")


def test_a_range_with_a_unit_behind_it_is_told_to_stand_in_quotes() -> None:
    text = SMALL.replace("unit: mAh/g}", "unit: mAh/g, plausible: [0, 400] mAh/g}")
    with pytest.raises(CampaignError, match=r'8: YAML: .*; write plausible: "\[0, 400\] mAh/g", in quotes'):
        parse_campaign(text, "small.yaml")
    block = SMALL.replace("{kind: measured, unit: mAh/g}", "\n    kind: measured\n    plausible: [0, 400] mAh/g")
    with pytest.raises(CampaignError, match=r'10: YAML: .*; write plausible: "\[0, 400\] mAh/g", in quotes'):
        parse_campaign(block, "small.yaml")


@pytest.mark.parametrize(
    ("objective", "where"),
    [
        ("- {goal: target, metric: capacity, low: 500, high: 600, scale: 1}", "terms\\[0\\].low: got 500.0"),
        ("- {goal: target, metric: capacity, low: -9, high: -1, scale: 1}", "terms\\[0\\].high: got -1.0"),
        ("- {goal: desirable, metric: capacity, above: 0.5 Ah/g, width: 1}", "terms\\[0\\].above: got 0.5 Ah/g"),
        (
            "- {goal: maximise, metric: capacity, scale: 1}\n  constraints: [{metric: capacity, at_least: 401}]",
            "constraints\\[0\\].at_least: got 401.0",
        ),
    ],
)
def test_what_is_wanted_beyond_the_plausible_is_refused(objective: str, where: str) -> None:
    text = SMALL.replace("unit: mAh/g}", "unit: mAh/g, plausible: [0, 400]}")
    text = text.replace("- {goal: maximise, metric: capacity, scale: 10 mAh/g}", objective)
    with pytest.raises(CampaignError, match=f"{where}, but capacity is plausible only from 0 to 400 mAh/g"):
        parse_campaign(text, "small.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a:\n\tb: 1\n", "2: YAML: a tab character in line 2; indent with spaces, not tabs"),
        ("a:\n  b: 1\n \tc: 2\n", "3: YAML: a tab character in line 3"),
        ("a:\n   b: 1\n # note\n  c: 2\n", "4: YAML: indented by 2 spaces, but the line above it (line 2) by 3"),
        ("a: 1\n  b: 2\n", "2: YAML: indented by 2 spaces, but the line above it (line 1) by 0"),
        ("d: Ziel: How\n", '1: YAML: put text with a colon in quotes: d: "Ziel: How"'),
        ("a:1\nb: 2\n", "2: YAML: line 1 lacks a space after the colon; write a: 1"),
        ("a: 'x\nb: 1\n", "3: YAML: the text in quotes that begins in line 1 has no closing quotation mark"),
        ("a: {low: 4\nb: 1\n", "2: YAML: the { } that begins in line 1 is not closed"),
        ("a: @x\n", "1: YAML: text cannot begin with @; put it in quotes"),
        ("a: 1\n- b\n", "2: YAML: does not fit line 1: a section holds either items of a list"),
    ],
)
def test_a_text_that_is_no_yaml_is_told_how_to_be_mended(text: str, told: str) -> None:
    with pytest.raises(CampaignError) as raised:
        parse_campaign(text, "small.yaml")
    assert str(raised.value).startswith(f"small.yaml:{told}")


@pytest.mark.parametrize(("low", "point"), [("0,97", "0.97"), ("-4,5", "-4.5"), ("4,5 h", "4.5 h")])
def test_a_decimal_comma_is_told_with_its_line_and_nothing_else(low: str, point: str) -> None:
    text = SMALL + f"stopping:\n  - {{kind: target, score: {low}}}\n"
    with pytest.raises(CampaignError) as raised:
        parse_campaign(text, "small.yaml")
    line = len(SMALL.splitlines()) + 2
    first = str(raised.value).splitlines()[0]
    written = f"got score: {low}; numbers are written with a point: score: {point}"
    assert first == f"small.yaml:{line}: stopping[0].score: {written}"
