"""Meta-optimizers of policies."""
