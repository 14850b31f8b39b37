"""`jitr fleet`: the fleet file, checked before anything is deployed."""
