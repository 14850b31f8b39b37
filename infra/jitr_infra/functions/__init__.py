"""The Lambda functions and the bundle that they run from."""
