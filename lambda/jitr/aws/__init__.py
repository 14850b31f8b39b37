"""AWS IoT and the state table as the product uses them, and how fast they may be asked."""
