"""Readers of pool files, one per kind: what stands in them, entry by entry, before anything is parsed."""
