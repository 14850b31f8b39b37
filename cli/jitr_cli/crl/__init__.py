"""`jitr crl`: certificate revocation lists, checked, written, published and decided about."""
