"""CAs as the commands see them: in AWS IoT, in the fleet file, adopted."""
