"""The reference device: what a real one does when it connects."""
