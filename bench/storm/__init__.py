"""A storm of first connects against the real function code, on a clock that takes no real time.

Devices, AWS IoT's quotas, queues and Lambda are stand-ins that act in virtual time; what runs between them is the
activation function as it is deployed, with its own botocore clients and their own retries.
"""
