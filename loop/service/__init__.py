"""What people, scripts and other programs ask of a campaign: the functions behind the command line."""
