// A device with aws-iot-device-sdk-v2 and MQTT 5: its client comes back by itself; the waits are set.
import { once } from 'node:events'
import { io, mqtt5 } from 'aws-iot-device-sdk-v2'

const { JITR_MQTT_HOST, JITR_MQTT_PORT, JITR_SERVER_CA, DEVICE_CHAIN, DEVICE_KEY, DEVICE_ID, TLS } = process.env
const shortest = Math.round(Number(process.env.SHORTEST_WAIT ?? 10) * 1000 * (1 + Math.random()))

// The leaf first, then its CA: awscrt sends what is in the file, and completes nothing.
const tls = io.TlsContextOptions.create_client_with_mtls_from_path(DEVICE_CHAIN, DEVICE_KEY)
tls.override_default_trust_store_from_path(undefined, JITR_SERVER_CA)
tls.min_tls_version = TLS === '1.3' ? io.TlsVersion.TLSv1_3 : io.TlsVersion.TLSv1_2

const client = new mqtt5.Mqtt5Client({
  hostName: JITR_MQTT_HOST,
  port: Number(JITR_MQTT_PORT),
  tlsCtx: new io.ClientTlsContext(tls),
  connectProperties: { clientId: DEVICE_ID, keepAliveIntervalSeconds: 60 },
  // With the library's jitter waits begin at zero, whatever the minimum: so none of it, and our own in the minimum.
  retryJitterMode: mqtt5.RetryJitterType.None,
  minReconnectDelayMs: shortest,
  maxReconnectDelayMs: Math.max(120_000, shortest),
})
client.on('connectionFailure', (event) => console.log(`not yet: ${event.error}`))
// Without this listener an error of the client would end the program.
client.on('error', (error) => console.log(`error: ${error}`))
const connected = once(client, 'connectionSuccess')
client.start()
await connected
await client.publish({ topicName: `devices/${DEVICE_ID}/up`, payload: '{}', qos: mqtt5.QoS.AtLeastOnce })
console.log('delivered')
const stopped = once(client, 'stopped')
client.stop()
await stopped
// Or the program does not end.
client.close()
