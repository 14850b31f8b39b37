// mqtt.js as its introduction shows it.
import { readFileSync } from 'node:fs'
import mqtt from 'mqtt'

const { JITR_MQTT_HOST, JITR_MQTT_PORT, JITR_SERVER_CA, DEVICE_CHAIN, DEVICE_KEY, DEVICE_ID } = process.env
const client = mqtt.connect(`mqtts://${JITR_MQTT_HOST}:${JITR_MQTT_PORT}`, {
  ca: readFileSync(JITR_SERVER_CA),
  cert: readFileSync(DEVICE_CHAIN),
  key: readFileSync(DEVICE_KEY),
  clientId: DEVICE_ID,
})
client.on('error', (error) => console.log(error.message))
client.on('connect', () => client.publish(`devices/${DEVICE_ID}/up`, '{}', { qos: 1 }, () => client.end()))
