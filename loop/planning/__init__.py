"""Bayesian optimisation on Ax and BoTorch: from trials to the next candidate, and what its models say."""

import logging

logging.getLogger("ax.storage.sqa_store.with_db_settings_base").disabled = True  # it greets whoever imports Ax
