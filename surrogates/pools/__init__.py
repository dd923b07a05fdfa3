"""Candidate materials: where pools come from, what is checked of them, and how a large one is kept on disk."""
