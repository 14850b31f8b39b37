"""`jitr dlq`."""
