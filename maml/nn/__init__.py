"""Parts of networks that meta-learning needs: normalization, functional calls, dense and
convolutional bodies."""
