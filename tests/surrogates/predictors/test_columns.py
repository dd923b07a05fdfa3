import numpy as np
import pytest

from campaigns.errors import ModelError
from surrogates.pools.pool import Pool
from surrogates.predictors.columns import tolerance_factor


def test_a_column_that_the_pool_keeps_is_a_metric() -> None:
    assert tolerance_factor(Pool("p", (), {"tolerance_factor": np.array([])})).shape == (0,)


def test_a_column_that_was_not_kept_is_told_with_what_to_do() -> None:
    pool = Pool("p", (), {"gap": np.array([])})
    with pytest.raises(ModelError, match=r"keeps no column 'tolerance_factor', but gap; add it to space\.pool\."):
        tolerance_factor(pool)
