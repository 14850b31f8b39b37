"""What the functions stand on: table, bucket, queues, roles."""
