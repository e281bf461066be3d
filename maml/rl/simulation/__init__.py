"""Environments that MuJoCo simulates: models, batches of simulations, pictures of them."""
