"""The rules of `jitr policy lint`, one subject a module; the catalogue names them all."""
