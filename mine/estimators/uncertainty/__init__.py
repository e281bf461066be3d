"""By how much an estimate may be off: the interval of a bound over samples, and that of the
information itself, for which nearest neighbours and their simulated bias stand beside the bound."""
