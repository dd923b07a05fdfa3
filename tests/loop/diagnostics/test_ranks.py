import numpy as np
from scipy.stats import rankdata

from loop.diagnostics.ranks import ranks


def test_ranks_are_those_of_scipy() -> None:
    values = np.random.default_rng(0).integers(0, 8, 30)
    assert np.array_equal(ranks(values), rankdata(values))
