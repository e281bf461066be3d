"""Processes that share a machine and its folders: claims, workers, signals, memory."""
