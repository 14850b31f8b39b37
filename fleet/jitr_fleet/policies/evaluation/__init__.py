"""What AWS IoT decides about a request: the facts of a device, the question, conditions, the answer."""
