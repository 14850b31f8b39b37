"""awsiotsdk with MQTT 3.1.1, built by its own builder."""

import os

from awscrt import mqtt
from awsiot import mqtt_connection_builder

name = os.environ["DEVICE_ID"]
connection = mqtt_connection_builder.mtls_from_path(
    endpoint=os.environ["JITR_MQTT_HOST"],
    port=int(os.environ["JITR_MQTT_PORT"]),
    cert_filepath=os.environ["DEVICE_CHAIN"],
    pri_key_filepath=os.environ["DEVICE_KEY"],
    ca_filepath=os.environ["JITR_SERVER_CA"],
    client_id=name,
)
connection.connect().result()
sent, _packet = connection.publish(f"devices/{name}/up", b"{}", mqtt.QoS.AT_LEAST_ONCE)
sent.result()
connection.disconnect().result()
