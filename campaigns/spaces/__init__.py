"""The search space: parameters, mixtures, what lies in the space, and many settings at once."""
