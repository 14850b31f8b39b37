"""aiomqtt as its introduction shows it."""

import asyncio
import os

import aiomqtt


async def main():
    tls = aiomqtt.TLSParameters(
        ca_certs=os.environ["JITR_SERVER_CA"], certfile=os.environ["DEVICE_CHAIN"], keyfile=os.environ["DEVICE_KEY"]
    )
    name = os.environ["DEVICE_ID"]
    async with aiomqtt.Client(
        os.environ["JITR_MQTT_HOST"], int(os.environ["JITR_MQTT_PORT"]), identifier=name, tls_params=tls
    ) as client:
        await client.publish(f"devices/{name}/up", b"{}", qos=1)


asyncio.run(main())
