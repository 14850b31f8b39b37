// aws-iot-device-sdk-v2 with MQTT 5, built by its own builder.
import { once } from 'node:events'
import { iot, mqtt5 } from 'aws-iot-device-sdk-v2'

const { JITR_MQTT_HOST, JITR_MQTT_PORT, JITR_SERVER_CA, DEVICE_CHAIN, DEVICE_KEY, DEVICE_ID } = process.env
const config = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(JITR_MQTT_HOST, DEVICE_CHAIN, DEVICE_KEY)
  .withCertificateAuthorityFromPath(undefined, JITR_SERVER_CA)
  .withConnectProperties({ clientId: DEVICE_ID, keepAliveIntervalSeconds: 60 })
  .withPort(Number(JITR_MQTT_PORT))
  .build()
const client = new mqtt5.Mqtt5Client(config)
client.on('error', (error) => console.log(`${error}`))
client.on('connectionFailure', (event) => console.log(`${event.error}`))
const connected = once(client, 'connectionSuccess')
client.start()
await connected
await client.publish({ topicName: `devices/${DEVICE_ID}/up`, payload: '{}', qos: mqtt5.QoS.AtLeastOnce })
const stopped = once(client, 'stopped')
client.stop()
await stopped
