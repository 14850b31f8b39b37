"""awsiotsdk with MQTT 5, built by its own builder."""

import os
import threading

from awscrt import mqtt5
from awsiot import mqtt5_client_builder

name, connected, stopped = os.environ["DEVICE_ID"], threading.Event(), threading.Event()
client = mqtt5_client_builder.mtls_from_path(
    endpoint=os.environ["JITR_MQTT_HOST"],
    port=int(os.environ["JITR_MQTT_PORT"]),
    cert_filepath=os.environ["DEVICE_CHAIN"],
    pri_key_filepath=os.environ["DEVICE_KEY"],
    ca_filepath=os.environ["JITR_SERVER_CA"],
    client_id=name,
    on_lifecycle_connection_success=lambda _: connected.set(),
    on_lifecycle_connection_failure=lambda event: print(event.exception),
    on_lifecycle_stopped=lambda _: stopped.set(),
)
client.start()
connected.wait()
client.publish(mqtt5.PublishPacket(topic=f"devices/{name}/up", payload=b"{}", qos=mqtt5.QoS.AT_LEAST_ONCE)).result()
client.stop()
stopped.wait(10)
