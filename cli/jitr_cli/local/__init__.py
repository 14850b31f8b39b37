"""`jitr local`."""
