// aws-iot-device-sdk-v2 with MQTT 3.1.1, built by its own builder.
import { iot, mqtt } from 'aws-iot-device-sdk-v2'

const { JITR_MQTT_HOST, JITR_MQTT_PORT, JITR_SERVER_CA, DEVICE_CHAIN, DEVICE_KEY, DEVICE_ID } = process.env
const config = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(DEVICE_CHAIN, DEVICE_KEY)
  .with_certificate_authority_from_path(undefined, JITR_SERVER_CA)
  .with_client_id(DEVICE_ID)
  .with_endpoint(JITR_MQTT_HOST)
  .with_port(Number(JITR_MQTT_PORT))
  .build()
const connection = new mqtt.MqttClient().new_connection(config)
connection.on('error', () => {})
try {
  await connection.connect()
  await connection.publish(`devices/${DEVICE_ID}/up`, '{}', mqtt.QoS.AtLeastOnce)
  await connection.disconnect()
} catch (error) {
  console.log(`${typeof error}, message ${error.message}: ${error}`)
  process.exit(1)
}
