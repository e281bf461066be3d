"""Models whose nature is known by construction, to check the memorization report with.

``python -m maml.diagnostics.known_models`` reports on all of them, and writes the table of
``results/diagnosis``. NumPy alone.
"""
