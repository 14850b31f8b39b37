"""Certificate authorities: which are managed, and what a deploy has to find out about them."""
