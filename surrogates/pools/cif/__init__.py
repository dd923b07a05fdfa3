"""CIF as its dictionary means it: numbers with their uncertainty, symmetry, sites, and what the file says of itself."""
