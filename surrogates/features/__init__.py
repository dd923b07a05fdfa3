"""What is seen of a crystal: graph networks and simpler features, computed once and cached."""
