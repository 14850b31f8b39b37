"""Other people's MQTT clients at their first connect, against a server that acts as AWS IoT does."""
