"""What is remembered of each certificate, and the protocols that change it."""
