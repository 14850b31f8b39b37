"""A device with paho-mqtt: comes back by itself, with waits that a fleet can afford."""

import os
import ssl

import paho.mqtt.client as mqtt

NAME = os.environ["DEVICE_ID"]
TLS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}.get(os.environ.get("TLS", ""))
SHORTEST = int(os.environ.get("SHORTEST_WAIT", "10"))

# The leaf first, then its CA: AWS IoT registers a certificate only with its CA beside it.
context = ssl.create_default_context(cafile=os.environ["JITR_SERVER_CA"])
context.load_cert_chain(os.environ["DEVICE_CHAIN"], os.environ["DEVICE_KEY"])
context.minimum_version = TLS or ssl.TLSVersion.TLSv1_2
if TLS:
    context.maximum_version = TLS

# The version is named: nobody falls back to MQTT 3.1.
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=NAME, protocol=mqtt.MQTTv311)
client.tls_set_context(context)
# paho begins at 1 s and doubles; a device that is not ACTIVE needs no more than a try every ten seconds.
client.reconnect_delay_set(min_delay=SHORTEST, max_delay=max(120, SHORTEST))


def on_connect(client, _userdata, _flags, code, _properties):
    print(f"connected: {code}", flush=True)
    if not code.is_failure:
        client.publish(f"devices/{NAME}/up", b"{}", qos=1)


def on_publish(client, _userdata, _mid, _code, _properties):
    print("delivered", flush=True)
    client.disconnect()


client.on_connect, client.on_publish = on_connect, on_publish
# By name: an address sends no SNI, and AWS IoT could not tell which account is meant.
client.connect(os.environ["JITR_MQTT_HOST"], int(os.environ["JITR_MQTT_PORT"]), keepalive=60)
client.loop_forever(retry_first_connection=True)
