"""A trained folder holds a model that matgl loads, with honest scores of rows that it has not seen."""

import json
from pathlib import Path
from typing import Any

import matgl
import numpy as np
import pytest

from campaigns.errors import ModelError
from surrogates.features.embeddings import embed
from surrogates.features.matgl_model import MatglModel
from surrogates.training.dataset import Dataset
from surrogates.training.predictions import read_predictions
from surrogates.training.record import RECORD, read_record
from surrogates.training.train import Report, Trained, TrainingSettings, train
from tests.trained import dataset, heats, salt, salts


def quick(data: Dataset, **settings: Any) -> tuple[Trained, list[Report]]:
    reports: list[Report] = []
    return train(data, TrainingSettings(**({"epochs": 2} | settings)), reports.append), reports


def test_the_folder_is_a_model_of_matgl_in_the_targets_unit(model: Path) -> None:
    structure = salts(1)[0]
    said = float(matgl.load_model(model).predict_structure(structure))
    assert MatglModel(str(model)).evaluate([structure]).energy[0] == pytest.approx(said, abs=1e-6)
    assert said == pytest.approx(heats([structure])[0], abs=1.0)


def test_the_folder_is_an_embedder_too(model: Path, tmp_path: Path) -> None:
    assert embed(salts(3), MatglModel(str(model)), tmp_path).vectors.shape == (3, 160)


def test_the_scores_are_those_of_the_held_out_rows_as_the_written_model_predicts_them(model: Path) -> None:
    record, rows = read_record(model), read_predictions(model)
    assert len(rows) == record.sizes.held_out == record.scores.rows
    structures = {f"row{i}": structure for i, structure in enumerate(salts())}
    said = MatglModel(str(model)).evaluate([structures[row.id] for row in rows]).energy
    assert said == pytest.approx([row.predicted for row in rows], abs=1e-4)
    assert record.scores.mae == pytest.approx(np.mean([abs(row.predicted - row.value) for row in rows]))
    assert record.scores.mae < record.scores.mean_mae
    assert record.scores.useful


def test_the_record_tells_of_the_data_and_the_course(model: Path) -> None:
    record = read_record(model)
    assert (record.target, record.unit, record.source, record.rows) == ("heat", "eV/atom", "salts.csv", 48)
    assert sum((record.sizes.training, record.sizes.validation, record.sizes.held_out)) == 48
    assert record.best_epoch == min(record.epochs, key=lambda epoch: epoch.validation).number
    assert {"Li", "Ni", "O", "Cl"} <= set(record.elements)
    assert record.versions["matgl"] == matgl.__version__


@pytest.mark.slow
def test_the_order_of_the_rows_changes_nothing() -> None:
    data = dataset(salts(24), heats(salts(24)))
    mixed = data.only(np.random.default_rng(0).permutation(24).tolist())
    (one, _), (two, _) = quick(data), quick(mixed)
    assert one.record.epochs == two.record.epochs
    assert one.held_out == two.held_out


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["m3gnet", "tensornet"])
def test_every_network_can_be_trained_and_read_again(kind: str, tmp_path: Path) -> None:
    trained, _ = quick(dataset(salts(12), heats(salts(12))), kind=kind, epochs=1)
    assert trained.write(tmp_path).kind == kind
    row = trained.held_out[0]
    (structure,) = (salts(12)[i] for i in range(12) if f"row{i}" == row.id)
    assert MatglModel(str(tmp_path)).evaluate([structure]).energy[0] == pytest.approx(row.predicted, abs=1e-4)


@pytest.mark.slow
def test_another_seed_is_another_training() -> None:
    data = dataset(salts(24), heats(salts(24)))
    assert quick(data, seed=0)[0].record.epochs != quick(data, seed=1)[0].record.epochs


@pytest.mark.slow
def test_a_learning_curve_has_three_sizes_and_ends_with_the_model_itself() -> None:
    trained, reports = quick(dataset(salts(), heats(salts())), learning_curve=True)
    curve = trained.record.learning_curve
    assert [point.rows for point in curve] == [6, 12, 24]
    assert curve[-1].mae == trained.record.scores.mae
    assert [report.training for report in reports] == [1, 1, 2, 2, 3, 3]
    assert {report.trainings for report in reports} == {3}


def test_rows_of_which_the_network_sees_nothing_are_listed() -> None:
    structures = [*salts(24), salt("Na", "Cl", 20.0)]
    trained, _ = quick(dataset(structures, np.arange(25)))
    assert (trained.record.rows, trained.record.left_out) == (24, 1)


def test_a_target_that_never_changes_is_refused() -> None:
    with pytest.raises(ModelError, match="have the value 2; there is nothing to learn"):
        quick(dataset(salts(24), np.full(24, 2.0)))


def test_an_atom_at_one_value_is_counted() -> None:
    values = np.where(np.arange(24) < 18, 0.0, np.arange(24))
    found = quick(dataset(salts(24), values))[0].record.values
    assert (found.common, found.common_share) == (0.0, 0.75)


def test_other_weights_than_the_record_tells_of_are_refused(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    assert read_record(folder) == read_record(model)
    (folder / "state.pt").write_bytes((folder / "model.pt").read_bytes())
    with pytest.raises(ModelError, match=r"are not those that training.json tells of"):
        read_record(folder)


def test_what_is_no_trained_model_says_what_it_lacks(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"lacks model.pt, state.pt, model.json, training.json; give a folder"):
        read_record(tmp_path)
    for file in model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    content = json.loads((model / RECORD).read_text())
    (tmp_path / RECORD).write_text(json.dumps(content | {"kind": "alignn"}))
    with pytest.raises(
        ModelError, match=r"training.json cannot be used \(kind: input should be [^\n]*\); train the model again"
    ):
        read_record(tmp_path)
    (tmp_path / RECORD).unlink()
    with pytest.raises(ModelError, match=r"it lacks training.json;"):
        read_record(tmp_path)
