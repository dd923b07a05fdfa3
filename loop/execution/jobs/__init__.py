"""What stations are asked to do: which job begins when, and what comes of it."""
