"""`jitr dlq`: dead letters, shown, handed over again and dropped."""
