"""The athanor command: parses, calls, prints."""
