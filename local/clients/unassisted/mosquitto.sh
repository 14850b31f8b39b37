#!/bin/sh
# mosquitto_pub as its manual page shows it.
exec mosquitto_pub -h "$JITR_MQTT_HOST" -p "$JITR_MQTT_PORT" -i "$DEVICE_ID" --cafile "$JITR_SERVER_CA" \
    --cert "$DEVICE_CHAIN" --key "$DEVICE_KEY" -t "devices/$DEVICE_ID/up" -m '{}' -q 1
