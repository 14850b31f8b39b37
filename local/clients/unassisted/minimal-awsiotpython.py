"""AWSIoTPythonSDK (version 1) as its introduction shows it."""

import os

from AWSIoTPythonSDK.MQTTLib import AWSIoTMQTTClient

name = os.environ["DEVICE_ID"]
client = AWSIoTMQTTClient(name)
client.configureEndpoint(os.environ["JITR_MQTT_HOST"], int(os.environ["JITR_MQTT_PORT"]))
client.configureCredentials(os.environ["JITR_SERVER_CA"], os.environ["DEVICE_KEY"], os.environ["DEVICE_CHAIN"])
client.connect()
client.publish(f"devices/{name}/up", "{}", 1)
client.disconnect()
