"""The command line `jitr`: one module per command."""
