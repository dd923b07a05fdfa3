"""Numbers that need no experiment: analytic metrics, and model predictions that serve as priors."""
