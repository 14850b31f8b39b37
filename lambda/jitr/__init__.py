"""What runs in AWS: activation of device certificates that AWS IoT registered on their first connect."""
