import numpy as np
import pytest
import torch

from campaigns.space import SpaceConfig
from campaigns.values import Candidate
from surrogates.posterior.encoder import Encoder, MaterialTable, principal_components

SPACE = SpaceConfig.model_validate(
    {
        "parameters": {
            "temperature": {"kind": "float", "unit": "degC", "low": 500, "high": 1000},
            "gas": {"kind": "categorical", "levels": ["air", "argon"]},
        }
    }
)
TABLE = MaterialTable(("a", "b"), np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]), {"cost": np.array([7.0, 9.0])})


def test_a_row_holds_parameters_embedding_and_known_numbers() -> None:
    encoder = Encoder(SPACE, TABLE)
    rows = encoder.encode([Candidate({"temperature": 750.0, "gas": "argon"}, "b")])
    assert rows.tolist() == [[0.5, 0.0, 1.0, 0.4, 0.5, 0.6, 9.0]]
    assert rows[0, encoder.column("cost")] == 9.0
    assert (encoder.parameter_columns, encoder.embedding_columns) == (3, 3)


def test_all_pairs_are_encoded_as_one_by_one() -> None:
    encoder = Encoder(SPACE, TABLE)
    settings = [{"temperature": t, "gas": g} for t in (500.0, 900.0) for g in ("air", "argon")]
    one_by_one = encoder.encode([Candidate(s, m) for m in ("b", "a") for s in settings])
    assert torch.equal(encoder.encode_product(settings, [1, 0]), one_by_one)
    without = Encoder(SPACE)
    assert torch.equal(without.encode_product(settings, ()), without.encode([Candidate(s) for s in settings]))


def test_an_unknown_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="price"):
        Encoder(SPACE, TABLE).column("price")


def test_components_keep_distances_and_are_scaled_to_one() -> None:
    vectors = np.random.default_rng(0).normal(size=(80, 12)).astype(np.float32)
    projected = principal_components(vectors)
    assert projected.shape == (80, 12)

    def distances(points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points[:, None] - points[None], axis=2)

    ratio = distances(projected)[0, 1:] / distances(vectors.astype(float))[0, 1:]
    assert np.allclose(ratio, ratio[0])
    assert np.sqrt((distances(projected) ** 2).sum() / 80**2) == pytest.approx(1.0)


def test_components_do_not_depend_on_the_sign_that_a_library_picks() -> None:
    vectors = np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)
    once, again = principal_components(vectors, 3), principal_components(vectors.copy(), 3)
    assert np.array_equal(once, again)
    assert once.shape == (50, 3)


def test_equal_materials_are_no_error() -> None:
    assert not principal_components(np.ones((4, 3), dtype=np.float32)).any()
