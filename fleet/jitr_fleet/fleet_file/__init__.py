"""The fleet file: its keys, how it is read, and what in it is a mistake."""
