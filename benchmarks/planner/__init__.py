"""How soon each engine finds what is good, on real experimental data and on functions with a known optimum."""
