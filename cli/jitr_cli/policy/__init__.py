"""`jitr policy`."""
