import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate
from loop.planning.row_decoder import RowDecoder
from loop.sampling.candidates import sobol
from surrogates.models.encoder import Encoder

SPACE = SpaceConfig.model_validate(
    {
        "parameters": {
            "time": {"kind": "float", "unit": "h", "low": 0.1, "high": 100, "scale": "log"},
            "heat": {"kind": "float", "unit": "degC", "low": 600, "high": 1000},
            "steps": {"kind": "integer", "unit": "1", "low": 2, "high": 9},
            "mesh": {"kind": "ordinal", "unit": "um", "levels": [20, 50, 200]},
            "gas": {"kind": "categorical", "levels": ["air", "argon", "oxygen"]},
        }
    }
)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_row_leads_back_to_its_candidate(seed: int) -> None:
    encoder, candidates = Encoder(SPACE), [Candidate(setting) for setting in sobol(SPACE, 4, seed)]
    decoder, rows = RowDecoder(encoder), encoder.encode(candidates)
    assert [decoder.candidate(row) for row in rows] == candidates
    for name in ("time", "heat", "steps", "mesh"):
        told = [float(c.parameters[name]) for c in candidates]
        assert decoder.number(name, rows).tolist() == [pytest.approx(x) for x in told]
