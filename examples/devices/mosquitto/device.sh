#!/bin/sh
# A device with mosquitto_pub. With -m it ends at the first failure, so the loop is the script's own.
# --tls-version is a minimum in 2.0.11; the maximum is OpenSSL's own setting, given here by OPENSSL_CONF.
set -u
shortest=${SHORTEST_WAIT:-10}
if [ -n "${TLS:-}" ]; then
    OPENSSL_CONF=$(mktemp) && export OPENSSL_CONF && trap 'rm -f "$OPENSSL_CONF"' EXIT
    printf 'openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMinProtocol = TLSv%s\nMaxProtocol = TLSv%s\n' \
        "$TLS" "$TLS" >"$OPENSSL_CONF"
fi
# -h is a name: it becomes the SNI. --cert holds the leaf, then its CA. -V names the version.
until mosquitto_pub -h "$JITR_MQTT_HOST" -p "$JITR_MQTT_PORT" -V mqttv311 -i "$DEVICE_ID" \
    --cafile "$JITR_SERVER_CA" --cert "$DEVICE_CHAIN" --key "$DEVICE_KEY" \
    -t "devices/$DEVICE_ID/up" -m '{}' -q 1; do
    # Jitter, so that a fleet does not knock in step.
    sleep "$(awk -v s="$shortest" 'BEGIN { srand(); print s + rand() * s }' 2>/dev/null || echo "$shortest")"
done
echo delivered
