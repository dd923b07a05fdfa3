"""How good predictions were: calibration and model health."""
