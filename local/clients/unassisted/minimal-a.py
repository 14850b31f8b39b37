"""amqtt as its introduction shows it."""

import asyncio
import os

from amqtt.client import MQTTClient


async def main():
    name = os.environ["DEVICE_ID"]
    host, port = os.environ["JITR_MQTT_HOST"], os.environ["JITR_MQTT_PORT"]
    connection = {
        "uri": f"mqtts://{host}:{port}",
        "cafile": os.environ["JITR_SERVER_CA"],
        "certfile": os.environ["DEVICE_CHAIN"],
        "keyfile": os.environ["DEVICE_KEY"],
    }
    client = MQTTClient(client_id=name, config={"connection": connection})
    await client.connect()
    await client.publish(f"devices/{name}/up", b"{}", qos=1)
    await client.disconnect()


asyncio.run(main())
