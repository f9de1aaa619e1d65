"""Reports: what became of the requests of a period, in figures that can be computed again from the log."""
