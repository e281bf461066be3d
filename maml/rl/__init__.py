"""Meta reinforcement learning: policies that adapt to a task by its trajectories."""
