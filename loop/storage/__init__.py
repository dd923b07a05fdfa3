"""The store, who reads it, and what is taken from earlier stores and tables."""
