"""A device with awsiotsdk and MQTT 5: its client comes back by itself; the waits are set."""

import os
import random
import threading

from awscrt import io, mqtt5

NAME = os.environ["DEVICE_ID"]
SHORTEST_MS = int(float(os.environ.get("SHORTEST_WAIT", "10")) * random.uniform(1000, 2000))

with open(os.environ["DEVICE_CHAIN"], "rb") as chain, open(os.environ["DEVICE_KEY"], "rb") as key:
    # The leaf first, then its CA: awscrt sends what is in the file, and completes nothing.
    tls = io.TlsContextOptions.create_client_with_mtls(chain.read(), key.read())
tls.override_default_trust_store_from_path(ca_filepath=os.environ["JITR_SERVER_CA"])
tls.min_tls_ver = {"1.3": io.TlsVersion.TLSv1_3}.get(os.environ.get("TLS", ""), io.TlsVersion.TLSv1_2)

connected, stopped = threading.Event(), threading.Event()


def failed(event):
    print(f"not yet: {event.exception}", flush=True)


client = mqtt5.Client(
    mqtt5.ClientOptions(
        host_name=os.environ["JITR_MQTT_HOST"],
        port=int(os.environ["JITR_MQTT_PORT"]),
        tls_ctx=io.ClientTlsContext(tls),
        connect_options=mqtt5.ConnectPacket(client_id=NAME, keep_alive_interval_sec=60),
        # The library's jitter begins at zero, whatever the minimum: so none of it, and our own in the minimum.
        retry_jitter_mode=mqtt5.ExponentialBackoffJitterMode.NONE,
        min_reconnect_delay_ms=SHORTEST_MS,
        max_reconnect_delay_ms=max(120_000, SHORTEST_MS),
        on_lifecycle_event_connection_success_fn=lambda _event: connected.set(),
        on_lifecycle_event_connection_failure_fn=failed,
        on_lifecycle_event_stopped_fn=lambda _event: stopped.set(),
    )
)
client.start()
connected.wait()
client.publish(mqtt5.PublishPacket(topic=f"devices/{NAME}/up", payload=b"{}", qos=mqtt5.QoS.AT_LEAST_ONCE)).result(
    timeout=30
)
print("delivered", flush=True)
client.stop()
stopped.wait(10)
