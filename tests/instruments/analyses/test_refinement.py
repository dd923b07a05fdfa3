import numpy as np
import pytest

from instruments.analyses.refinement import least_misfits, non_negative


def test_columns_that_are_tried_together_leave_what_each_leaves_by_itself() -> None:
    rng = np.random.default_rng(0)
    columns, tried = rng.random((50, 3)), np.column_stack([rng.random((50, 4)), np.zeros(50), -np.ones(50)])
    target = columns @ [1.0, 0.0, 2.0] + 3.0 * tried[:, 2] + 0.1 * rng.standard_normal(50)
    alone = []
    for column in tried.T:
        others = columns.copy()
        others[:, 1] = column
        alone.append(((target - others @ non_negative(others, target)) ** 2).sum())

    assert least_misfits(columns, 1, tried, target) == pytest.approx(alone)
    assert np.argmin(alone) == 2
