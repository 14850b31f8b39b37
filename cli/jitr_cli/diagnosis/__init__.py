"""What the checks of `jitr doctor` are made of."""
