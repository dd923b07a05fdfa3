"""What is printed: live display, log lines, tables."""
