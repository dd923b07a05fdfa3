"""One controller at a time, and nothing lost: leases, witnesses, backups, damage."""
