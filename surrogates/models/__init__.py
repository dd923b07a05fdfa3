"""Models of one metric, each a BoTorch model: Gaussian processes, trees, and what is made of them."""
