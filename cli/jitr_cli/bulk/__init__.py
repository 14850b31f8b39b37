"""`jitr bulk`, and starting bulk work from other commands."""
