"""gmqtt as its introduction shows it."""

import asyncio
import os
import ssl

import gmqtt


async def main():
    name = os.environ["DEVICE_ID"]
    context = ssl.create_default_context(cafile=os.environ["JITR_SERVER_CA"])
    context.load_cert_chain(os.environ["DEVICE_CHAIN"], os.environ["DEVICE_KEY"])
    client, connected = gmqtt.Client(name), asyncio.Event()
    client.on_connect = lambda *_: connected.set()
    await client.connect(os.environ["JITR_MQTT_HOST"], int(os.environ["JITR_MQTT_PORT"]), ssl=context)
    await connected.wait()
    client.publish(f"devices/{name}/up", b"{}", qos=1)
    await asyncio.sleep(2)
    await client.disconnect()


asyncio.run(main())
