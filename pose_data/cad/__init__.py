"""CAD models in files: reading and checking them, and the names of their variants."""
