"""Code that a campaign file names by dotted path: found, checked and loaded."""
