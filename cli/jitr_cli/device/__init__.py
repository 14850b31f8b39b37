"""`jitr device`, but for explain."""
