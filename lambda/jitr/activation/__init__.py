"""From a registration event to a certificate that is ACTIVE, or to the reason why it is not."""
