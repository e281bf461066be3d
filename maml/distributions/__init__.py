"""Heads: from the outputs of a network to a predictive distribution over labels."""
