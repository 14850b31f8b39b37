#!/bin/sh
# mosquitto_pub that reads messages from a program which goes on: one line every two seconds.
for n in 1 2 3 4 5 6 7 8 9 10; do
    echo '{}'
    sleep 2
done | mosquitto_pub -h "$JITR_MQTT_HOST" -p "$JITR_MQTT_PORT" -i "$DEVICE_ID" --cafile "$JITR_SERVER_CA" \
    --cert "$DEVICE_CHAIN" --key "$DEVICE_KEY" -t "devices/$DEVICE_ID/up" -l -q 1
