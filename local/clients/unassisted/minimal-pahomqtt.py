"""paho-mqtt as its introduction shows it."""

import os

import paho.mqtt.client as mqtt

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=os.environ["DEVICE_ID"])
client.tls_set(os.environ["JITR_SERVER_CA"], os.environ["DEVICE_CHAIN"], os.environ["DEVICE_KEY"])
client.on_connect = lambda c, _u, _f, _r, _p: c.publish(f"devices/{os.environ['DEVICE_ID']}/up", b"{}", qos=1)
client.on_disconnect = lambda _c, _u, _f, code, _p: print(code)
client.on_publish = lambda c, _u, _m, _r, _p: c.disconnect()
client.connect(os.environ["JITR_MQTT_HOST"], int(os.environ["JITR_MQTT_PORT"]))
client.loop_forever()
