"""What `jitr doctor` looks at, one subject a module."""
