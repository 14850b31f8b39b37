"""`jitr local`: the same stack on this computer."""
