"""One session: proposal, completion, learning, stopping."""
