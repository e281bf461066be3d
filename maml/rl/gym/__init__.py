"""Environments of this library in Gymnasium, and those of Gymnasium in this library."""
