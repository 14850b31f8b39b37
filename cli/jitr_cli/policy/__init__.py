"""`jitr policy`: policy templates, linted, tested, rendered and compared."""
