"""Points of a search space: Sobol, polytopes, perturbation, rounding."""
