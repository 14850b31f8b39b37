// A device with mqtt.js: comes back by itself, every second unless told otherwise, and never slower.
import { readFileSync } from 'node:fs'
import mqtt from 'mqtt'

const { JITR_MQTT_HOST, JITR_MQTT_PORT, JITR_SERVER_CA, DEVICE_CHAIN, DEVICE_KEY, DEVICE_ID, TLS } = process.env
const shortest = Number(process.env.SHORTEST_WAIT ?? 10) * 1000
const only = { 1.2: 'TLSv1.2', 1.3: 'TLSv1.3' }[TLS]

const client = mqtt.connect({
  protocol: 'mqtts',
  // By name: an address sends no SNI, and AWS IoT could not tell which account is meant.
  host: JITR_MQTT_HOST,
  servername: JITR_MQTT_HOST,
  port: Number(JITR_MQTT_PORT),
  ca: readFileSync(JITR_SERVER_CA),
  // The leaf first, then its CA: AWS IoT registers a certificate only with its CA beside it.
  cert: readFileSync(DEVICE_CHAIN),
  key: readFileSync(DEVICE_KEY),
  minVersion: only ?? 'TLSv1.2',
  maxVersion: only,
  clientId: DEVICE_ID,
  protocolVersion: 4,
  keepalive: 60,
  // The same for every device would keep a fleet in step: jitter is this program's own.
  reconnectPeriod: shortest + Math.random() * shortest,
})
// Without a listener, an error of the network would end the program.
client.on('error', (error) => console.log(`not yet: ${error.message}`))
client.on('close', () => console.log('closed; comes back by itself'))
client.on('connect', () => {
  client.publish(`devices/${DEVICE_ID}/up`, '{}', { qos: 1 }, (error) => {
    if (error) return
    console.log('delivered')
    client.end()
  })
})
