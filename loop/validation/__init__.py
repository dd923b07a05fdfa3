"""What is checked of a campaign, its models and its laboratory before the first trial."""
