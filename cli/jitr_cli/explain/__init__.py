"""`jitr device explain`."""
