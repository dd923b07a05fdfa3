"""BoTorch without what costs tests time and changes no number; importing this changes it, in processes of tests too.

It would compile its C++ for hypervolumes for half a minute, and look through all loaded libraries for those of linear
algebra before each minimisation, to keep them to one thread: they have one by OMP_NUM_THREADS.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import botorch.acquisition.multi_objective.logei
import botorch.generation.gen
import botorch.optim.utils.timeout


def _unlimited(**_: Any) -> AbstractContextManager[None]:
    return nullcontext()


botorch.acquisition.multi_objective.logei._load_attempted = True
botorch.generation.gen.threadpool_limits = _unlimited
botorch.optim.utils.timeout.threadpool_limits = _unlimited
