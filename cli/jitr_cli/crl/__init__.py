"""`jitr crl`."""
