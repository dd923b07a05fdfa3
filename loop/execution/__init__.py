"""One session: scheduling, dispatch, completion, amendments, stopping."""
