"""The demo, and what its steps are made of."""
