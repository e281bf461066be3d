"""Procedural CAD models: solids, the parts that are made of them, and classes of objects."""
