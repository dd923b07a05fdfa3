"""The report of a trained model shows its errors honestly and needs no network."""

from dataclasses import replace
from pathlib import Path

import pytest

from loop.report.training_figures import calibration_figure, learning_figure, loss_figure, parity_figure
from loop.report.training_report import write_training_report
from loop.report.training_text import cautions, model_rows
from surrogates.training.predictions import Prediction, read_predictions, write_predictions
from surrogates.training.record import (
    Calibration,
    CurvePoint,
    Epoch,
    Scores,
    Sizes,
    TargetRange,
    TrainingRecord,
    weights_hash,
    write_record,
)
from surrogates.training.scores import LEVELS
from tests.offline import assert_offline

NASTY = "</script><img src=x onerror=alert(1)>"


def record(**changes: object) -> TrainingRecord:
    held = Calibration(0.2, LEVELS, tuple(0.4 * level for level in LEVELS), LEVELS, LEVELS)
    usual = TrainingRecord(
        kind="megnet",
        target="heat",
        unit="eV/atom",
        source="salts.csv",
        rows=100,
        left_out=1,
        seed=0,
        sizes=Sizes(60, 20, 20, "formula"),
        values=TargetRange(-1.0, 2.0, 0.5, 0.7, 0.0, 0.05),
        scores=Scores(60, 0.1, 0.15, 0.9, 0.95, 0.5, 0.7),
        calibration=held,
        epochs=(Epoch(1, 0.5, 0.6), Epoch(2, 0.2, 0.3), Epoch(3, 0.1, 0.4)),
        best_epoch=2,
        seconds=60.0,
        elements=("Na", "Cl"),
        weights="",
        versions={"athanor-sdl": "0.1.0", "matgl": "4.1.2"},
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


PREDICTIONS = [Prediction(f"row{i}", "NaCl", 0.1 * i, 0.1 * i + 0.02) for i in range(20)]


def page(folder: Path, known: TrainingRecord, predictions: list[Prediction] = PREDICTIONS) -> str:
    matgl = '{"@class": "MEGNet", "@model_version": 1}'
    import zipfile

    for name in ("model.pt", "state.pt"):
        with zipfile.ZipFile(folder / name, "w") as file:
            file.writestr(zipfile.ZipInfo("data"), "x")  # of no time: the same bytes, whenever they are written
    (folder / "model.json").write_text(matgl)
    write_predictions(predictions, folder)
    write_record(replace(known, weights=weights_hash(folder)), folder)
    return write_training_report(folder).read_text(encoding="utf-8")


def test_the_report_has_its_numbers_charts_and_rows(tmp_path: Path) -> None:
    text = page(tmp_path, record(learning_curve=(CurvePoint(15, 0.4), CurvePoint(60, 0.1))))
    assert text.count('class="chart"') == 4
    for words in ("parity", "calibration", "error over epochs", "learning curve", "always saying the mean", "row19"):
        assert words in text
    assert read_predictions(tmp_path) == PREDICTIONS


def test_a_model_without_a_learning_curve_has_none(tmp_path: Path) -> None:
    assert page(tmp_path, record()).count('class="chart"') == 3


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    assert page(tmp_path, record()) == page(tmp_path, record())


def test_the_report_asks_nothing_of_any_network(tmp_path: Path) -> None:
    assert_offline(page(tmp_path, record()))


def test_what_comes_from_a_table_is_text_and_never_markup(tmp_path: Path) -> None:
    spoilt = [Prediction(NASTY, "NaCl", 0.0, 1.0), Prediction("b", "NaCl", 1.0, 1.0)]
    text = page(tmp_path, record(target=NASTY, source=NASTY), spoilt)
    assert "<img" not in text.replace("&lt;img", "").split("</noscript>")[1].split("<footer>")[0]


def test_parity_has_equal_axes_and_the_interval_about_the_diagonal() -> None:
    figure = parity_figure(record(), PREDICTIONS)
    assert figure["layout"]["xaxis"]["range"] == figure["layout"]["yaxis"]["range"]
    diagonal, upper, lower, points = figure["data"]
    assert upper["y"][0] - diagonal["y"][0] == pytest.approx(record().calibration.widths[-1])
    assert diagonal["y"][0] - lower["y"][0] == pytest.approx(record().calibration.widths[-1])
    assert points["x"] == [p.predicted for p in PREDICTIONS]
    assert points["y"] == [p.value for p in PREDICTIONS]


def test_calibration_has_both_kinds_of_interval_against_their_nominal_coverage() -> None:
    traces = {trace["name"]: trace for trace in calibration_figure(record().calibration, 60)["data"]}
    assert traces["quantiles"]["x"] == list(LEVELS)
    assert traces["normal"]["y"] == list(LEVELS)
    assert 0 <= min(traces["95% of perfect ones"]["y"]) <= max(traces["95% of perfect ones"]["y"]) <= 1


def test_the_epoch_whose_weights_were_kept_is_marked() -> None:
    kept = loss_figure(record())["data"][-1]
    assert (kept["x"], kept["y"]) == ([2], [0.3])
    assert len(loss_figure(record(best_epoch=0))["data"]) == 2, "the first weights are on no curve"


def test_the_learning_curve_is_held_against_the_mean() -> None:
    curve, mean = learning_figure(record(learning_curve=(CurvePoint(15, 0.4), CurvePoint(60, 0.1))))["data"]
    assert curve["y"] == [0.4, 0.1]
    assert mean["y"] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scores": Scores(60, 0.6, 0.9, -0.1, 0.0, 0.5, 0.7)}, "no better than always saying the mean"),
        ({"scores": Scores(60, 0.1, 0.1, None, None, 0.5, 0.5)}, "all held-out rows have one value"),
        ({"scores": Scores(60, 0.4, 0.9, -0.1, 0.0, 0.5, 0.7)}, "no better than always saying the mean"),
        ({"best_epoch": 0}, "training did not improve the network"),
        ({"values": TargetRange(0.0, 5.0, 0.1, 0.5, 0.0, 0.96)}, "96% of the rows have the value 0 eV/atom exactly"),
        ({"sizes": Sizes(60, 20, 20, "structure")}, "only equal structures are"),
        ({"scores": Scores(12, 0.1, 0.2, 0.9, 0.9, 0.5, 0.7)}, "means over 12 rows only"),
    ],
    ids=["useless", "one value", "outliers", "untrained", "atom at zero", "one compound", "few rows"],
)
def test_what_should_not_be_overlooked_is_said(changes: dict[str, object], said: str) -> None:
    assert any(said in text for text in cautions(record(**changes)))


def test_a_good_model_has_no_cautions_and_tells_its_scores_with_units() -> None:
    assert cautions(record()) == []
    rows = dict(model_rows(record(unit="1")))
    assert rows["mean absolute error"] == "0.1; of always saying the mean 0.5"
    assert dict(model_rows(record()))["95% interval"] == "± 0.38 eV/atom, contains 95% of the held-out rows"
