"""How every command takes its options, reads files and speaks."""
