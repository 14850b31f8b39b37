"""`jitr ca`."""
