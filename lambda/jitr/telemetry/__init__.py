"""What the functions say: log lines and metrics."""
