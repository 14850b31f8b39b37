"""`jitr ca`: certificate authorities, made, registered, adopted, held and left."""
