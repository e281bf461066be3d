"""``python -m maml.diagnostics.known_models``."""

from maml.diagnostics.known_models.runner import run

if __name__ == "__main__":
    run()
