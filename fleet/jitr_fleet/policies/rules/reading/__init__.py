"""What the rules read and write: a policy as it is written, its ARNs, and the report."""
