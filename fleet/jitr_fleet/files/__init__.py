"""Reading files that people write, with a mistake that names its place."""
