"""A device with aiomqtt: its client connects once, so the loop is the program's own."""

import asyncio
import os
import random
import ssl

import aiomqtt

NAME = os.environ["DEVICE_ID"]
TLS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}.get(os.environ.get("TLS", ""))
SHORTEST = float(os.environ.get("SHORTEST_WAIT", "10"))
LONGEST = max(120.0, SHORTEST)


def context() -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=os.environ["JITR_SERVER_CA"])
    # The leaf first, then its CA: AWS IoT registers a certificate only with its CA beside it.
    made.load_cert_chain(os.environ["DEVICE_CHAIN"], os.environ["DEVICE_KEY"])
    made.minimum_version = TLS or ssl.TLSVersion.TLSv1_2
    if TLS:
        made.maximum_version = TLS
    return made


async def main() -> None:
    failures = 0
    while True:
        try:
            async with aiomqtt.Client(
                os.environ["JITR_MQTT_HOST"],
                int(os.environ["JITR_MQTT_PORT"]),
                identifier=NAME,
                protocol=aiomqtt.ProtocolVersion.V311,
                tls_context=context(),
            ) as client:
                await client.publish(f"devices/{NAME}/up", b"{}", qos=1)
                print("delivered", flush=True)
                return
        except aiomqtt.MqttError as error:
            failures += 1
            wait = SHORTEST + random.uniform(0, min(LONGEST, SHORTEST * 2.0 ** min(failures, 10)) - SHORTEST)
            print(f"not yet: {error}; again in {wait:.1f} s", flush=True)
            await asyncio.sleep(wait)


asyncio.run(main())
