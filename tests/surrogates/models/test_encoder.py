import numpy as np
import pytest
import torch

from campaigns.spaces.settings_table import Table
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate, Scalar
from surrogates.models.encoder import Encoder, MaterialTable, embedding_view, feature_view
from surrogates.models.fit import fit_gp
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem

SPACE = SpaceConfig.model_validate(
    {
        "parameters": {
            "temperature": {"kind": "float", "unit": "degC", "low": 500, "high": 1000},
            "gas": {"kind": "categorical", "levels": ["air", "argon"]},
        }
    }
)
VIEWS = {"network": np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])}
TABLE = MaterialTable(("a", "b"), VIEWS, {"cost": np.array([7.0, 9.0])})


def distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def test_a_row_holds_the_parameters_and_the_place_of_the_material() -> None:
    encoder = Encoder(SPACE, TABLE)
    rows = encoder.encode([Candidate({"temperature": 750.0, "gas": "argon"}, "b")])
    assert rows.tolist() == [[0.5, 0.0, 1.0, 1.0]]
    assert encoder.places(rows).tolist() == [1]
    assert encoder.number("cost", rows).tolist() == [9.0]
    assert encoder.parameter_columns == 3


def test_all_pairs_are_encoded_as_one_by_one() -> None:
    encoder = Encoder(SPACE, TABLE)
    settings = [{"temperature": t, "gas": g} for t in (500.0, 900.0) for g in ("air", "argon")]
    one_by_one = encoder.encode([Candidate(s, m) for m in ("b", "a") for s in settings])
    assert torch.equal(encoder.encode_product(settings, [1, 0]), one_by_one)
    without = Encoder(SPACE)
    assert torch.equal(without.encode_product(settings, ()), without.encode([Candidate(s) for s in settings]))


def test_columns_are_encoded_as_settings_are_and_have_a_gradient() -> None:
    space = SpaceConfig.model_validate(
        {
            "parameters": {
                "time": {"kind": "float", "unit": "h", "low": 1, "high": 100, "scale": "log"},
                "rate": {"kind": "ordinal", "unit": "degC/min", "levels": [1, 2, 5]},
                "excess": {"kind": "integer", "unit": "percent", "low": 0, "high": 10, "when": {"gas": ["argon"]}},
                "gas": {"kind": "categorical", "levels": ["air", "argon", "oxygen"]},
            },
            "mixtures": {"melt": {"components": {"a": {}, "b": {"high": 0.5}}}},
        }
    )
    encoder, gases = Encoder(space, TABLE), ["air", "argon", "oxygen"]
    settings: list[dict[str, Scalar]] = [
        {"time": 3.0, "rate": 2.0, "excess": 4, "gas": "argon", "a": 0.6, "b": 0.4},
        {"time": 50.0, "rate": 5.0, "gas": "air", "a": 1.0, "b": 0.0},
    ]
    columns = {name: [float(s.get(name, 0)) for s in settings] for name in ("time", "rate", "excess", "a", "b")}
    values = {name: torch.tensor(column).double().requires_grad_() for name, column in columns.items()}
    values["gas"] = torch.tensor([float(gases.index(str(s["gas"]))) for s in settings]).double()
    rows = encoder.encode_columns(values, torch.tensor([1.0, 0.0]).double())
    expected = encoder.encode([Candidate(s, m) for s, m in zip(settings, ("b", "a"), strict=True)])
    assert torch.allclose(rows, expected)
    rows.sum().backward()
    assert values["time"].grad is not None
    assert bool((values["time"].grad > 0).all())
    assert values["excess"].grad is not None
    assert values["excess"].grad.tolist() == [pytest.approx(0.1), 0.0], "none where it does not apply"


def test_a_campaign_without_parameters_has_rows_of_places_alone() -> None:
    space = SpaceConfig.model_validate({"pool": {"kind": "generator", "function": "a.b:c"}})
    encoder = Encoder(space, TABLE)
    assert encoder.encode_product([{}], [1, 0]).tolist() == [[1.0], [0.0]]
    assert encoder.encode([Candidate({}, "b")]).tolist() == [[1.0]]


def test_an_unknown_number_is_an_error() -> None:
    encoder = Encoder(SPACE, TABLE)
    rows = encoder.encode([Candidate({"temperature": 750.0, "gas": "argon"}, "b")])
    with pytest.raises(KeyError, match="price"):
        encoder.number("price", rows)
    with pytest.raises(KeyError, match="cost"):
        Encoder(SPACE).number("cost", rows)


def test_an_embedding_keeps_distances_and_is_scaled_to_one() -> None:
    vectors = np.random.default_rng(0).normal(size=(80, 12)).astype(np.float32)
    projected = embedding_view(vectors)
    assert projected.shape == (80, 12)
    ratio = distances(projected)[0, 1:] / distances(vectors.astype(float))[0, 1:]
    assert np.allclose(ratio, ratio[0], rtol=1e-4)
    assert np.sqrt((distances(projected) ** 2).sum() / 80**2) == pytest.approx(1.0)


def test_components_do_not_depend_on_the_sign_that_a_library_picks() -> None:
    vectors = np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)
    once, again = embedding_view(vectors, 3), embedding_view(vectors.copy(), 3)
    assert np.array_equal(once, again)
    assert once.shape == (50, 3)


def test_features_count_alike_whatever_their_units() -> None:
    vectors = np.random.default_rng(2).normal(size=(60, 5)).astype(np.float32)
    scaled = vectors * np.array([1, 1000, 1e-3, 5, 1], dtype=np.float32) + 7
    assert np.allclose(distances(feature_view(vectors)), distances(feature_view(scaled)), atol=1e-4)
    constant = np.column_stack([vectors, np.full(60, 3.0, dtype=np.float32)])
    assert np.allclose(distances(feature_view(constant)), distances(feature_view(vectors)), atol=1e-6)


@pytest.mark.parametrize("view", [embedding_view, feature_view])
def test_equal_materials_are_no_error(view: object) -> None:
    assert callable(view)
    assert not view(np.ones((4, 3), dtype=np.float32)).any()


def test_every_kind_of_parameter_has_its_columns() -> None:
    space = SpaceConfig.model_validate(
        {
            "parameters": {
                "gas": {"kind": "categorical", "levels": ["air", "argon"]},
                "flow": {"kind": "float", "unit": "ml/min", "low": 1, "high": 5, "when": {"gas": ["argon"]}},
                "valve": {"kind": "categorical", "levels": ["open", "shut"], "when": {"gas": ["argon"]}},
            },
            "mixtures": {
                "binder": {"components": {"pvdf": {"high": 0.5}, "cmc": {"low": 0.1, "high": 0.6}, "sbr": {}}}
            },
        }
    )
    encoder = Encoder(space)
    shares: dict[str, Scalar] = {"pvdf": 0.2, "cmc": 0.5, "sbr": 0.3}
    rows = encoder.encode(
        [Candidate({"gas": "air", **shares}), Candidate({"gas": "argon", "flow": 5.0, "valve": "shut", **shares})]
    )
    assert rows.tolist() == [[1, 0, 0.5, 0.5, 0.5, 0.2, 0.5, 0.3], [0, 1, 1, 0, 1, 0.2, 0.5, 0.3]]
    assert encoder.parameter_columns == rows.shape[1]


def solvents(described: bool) -> SpaceConfig:
    levels = [f"s{i}" for i in range(12)]
    polarity = [float(i) for i in range(12)]
    known = {"descriptors": {"polarity": polarity, "unrelated": polarity[::2] + polarity[1::2]}} if described else {}
    return SpaceConfig.model_validate({"parameters": {"solvent": {"kind": "categorical", "levels": levels} | known}})


def test_levels_are_as_far_apart_with_descriptors_as_without() -> None:
    with_, without = (
        Encoder(solvents(described)).encode([Candidate({"solvent": f"s{i}"}) for i in range(12)]).numpy()
        for described in (True, False)
    )
    apart = [np.sqrt((distances(rows) ** 2).sum() / (12 * 11)) for rows in (with_, without)]
    assert apart[0] == pytest.approx(apart[1])
    assert with_.shape == (12, 2)


def test_levels_that_are_alike_in_descriptors_share_knowledge() -> None:
    tried = [0, 1, 3, 4, 6, 7, 9, 10, 11]
    values = torch.tensor([np.sin(i / 3.0) for i in range(12)], dtype=torch.float64)
    wrong = []
    for described in (True, False):
        encoder = Encoder(solvents(described))
        rows = encoder.encode([Candidate({"solvent": f"s{i}"}) for i in range(12)])
        gp = fit_gp(
            RegressionProblem(encoder),
            Observations(rows[tried], values[tried], torch.full((9,), 0.01, dtype=torch.float64)),
        )
        unseen = [2, 5, 8]
        wrong.append(float((gp.marginals(rows[unseen])[0] - values[unseen]).abs().mean()))
    assert wrong[0] < 0.3 * wrong[1]


def test_a_large_table_is_encoded_as_its_rows() -> None:
    rows = np.random.default_rng(0).uniform([500, 0], [1000, 1.999], size=(2000, 2))
    table = Table(SPACE.all_parameters, np.column_stack([rows[:, 0], np.floor(rows[:, 1])]))
    encoder = Encoder(SPACE)
    one_by_one = encoder.encode([Candidate(dict(row)) for row in table])
    assert torch.equal(encoder.encode_product(table, ()), one_by_one)
