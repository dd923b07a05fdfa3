"""Kinds of what a store keeps beside trials: by name, the latest of each."""

HISTORY = "history"
"""Kind of the artefacts that hold, by table, what became of its rows when they were last imported."""

SOURCE = "source"
"""Kind of the artefacts that hold, by name, what the models use of a source of earlier measurements."""
