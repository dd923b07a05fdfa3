"""What people decide while a campaign runs, and what becomes of it."""
