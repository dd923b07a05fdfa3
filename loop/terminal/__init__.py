"""What is printed: live view, log lines, tables."""
