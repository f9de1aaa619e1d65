"""Plain types that every room speaks in: records, identifiers, times, filters. Frozen, without I/O."""
