"""Meta-regularizers: terms of the loss, noise and augmentation against memorization."""
