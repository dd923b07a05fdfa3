"""BoTorch without its C++ for hypervolumes, which would be compiled for half a minute; for processes of tests."""

import botorch.acquisition.multi_objective.logei

botorch.acquisition.multi_objective.logei._load_attempted = True
