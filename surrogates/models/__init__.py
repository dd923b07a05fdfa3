"""What is believed of a metric after some measurements: Gaussian processes, and the choice of what they see."""
