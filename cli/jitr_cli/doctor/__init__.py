"""What `jitr doctor` looks at: one module for each group of checks, and what they read of a deployment."""
