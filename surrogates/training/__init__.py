"""Training of matgl's graph networks: on a table of structures and values, and on a campaign's own data."""
