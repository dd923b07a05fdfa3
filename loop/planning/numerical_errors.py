"""What numerics raise that have failed: a campaign that nobody watches goes on without them, and says so."""

from __future__ import annotations

from botorch.exceptions.errors import BotorchError
from linear_operator.utils.errors import NotPSDError
from numpy.linalg import LinAlgError

NUMERICAL_ERRORS = (ArithmeticError, RuntimeError, BotorchError, NotPSDError, LinAlgError)
"""What torch, BoTorch, GPyTorch and NumPy raise where numbers are none, or a covariance is singular.

torch's own errors, of NaN gradients and of failed factorisations, are RuntimeErrors. Errors in the program, such as a
TypeError or a KeyError, are none of these.
"""

_LONGEST = 120  # characters of a message that are shown: GPyTorch prints tensors


def shortened(error: BaseException) -> str:
    """Return what an error says, on one line and not too long."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:_LONGEST]}{'...' if len(words) > _LONGEST else ''}"
