"""Lambda entry points: the one place where settings are read and clients are made."""
