"""Bayesian optimisation on Ax and BoTorch: from trials to the next candidate."""
