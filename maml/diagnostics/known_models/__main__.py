"""``python -m maml.diagnostics.known_models``."""

from maml.diagnostics.known_models.runner import main

if __name__ == "__main__":
    main()
