"""Records, events, scores, Pareto front, stopping rules: what every part of the loop knows."""
