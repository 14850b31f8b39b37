"""A device with awsiotsdk and MQTT 3.1.1: the first connect raises, so the loop is the program's own."""

import os
import random
import time

from awscrt import io, mqtt

NAME = os.environ["DEVICE_ID"]
SHORTEST = float(os.environ.get("SHORTEST_WAIT", "10"))
LONGEST = max(120.0, SHORTEST)

with open(os.environ["DEVICE_CHAIN"], "rb") as chain, open(os.environ["DEVICE_KEY"], "rb") as key:
    # The leaf first, then its CA: awscrt sends what is in the file, and completes nothing.
    tls = io.TlsContextOptions.create_client_with_mtls(chain.read(), key.read())
tls.override_default_trust_store_from_path(ca_filepath=os.environ["JITR_SERVER_CA"])
tls.min_tls_ver = {"1.3": io.TlsVersion.TLSv1_3}.get(os.environ.get("TLS", ""), io.TlsVersion.TLSv1_2)
client = mqtt.Client(tls_ctx=io.ClientTlsContext(tls))

failures = 0
while True:
    # A new connection object each time: the one that failed is not used again.
    connection = mqtt.Connection(
        client=client,
        host_name=os.environ["JITR_MQTT_HOST"],
        port=int(os.environ["JITR_MQTT_PORT"]),
        client_id=NAME,
        clean_session=True,
        keep_alive_secs=60,
    )
    try:
        connection.connect().result(timeout=30)
        break
    except Exception as error:  # the library raises AwsCrtError, and a time-out of the future
        failures += 1
        wait = SHORTEST + random.uniform(0, min(LONGEST, SHORTEST * 2.0 ** min(failures, 10)) - SHORTEST)
        print(f"not yet: {error}; again in {wait:.1f} s", flush=True)
        time.sleep(wait)

sent, _packet = connection.publish(topic=f"devices/{NAME}/up", payload=b"{}", qos=mqtt.QoS.AT_LEAST_ONCE)
sent.result(timeout=30)
print("delivered", flush=True)
connection.disconnect().result(timeout=10)
