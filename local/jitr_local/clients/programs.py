"""Which clients are run, how each is started, and what its package says about its version."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jitr_local.checkout import CHECKOUT

EXAMPLES = CHECKOUT / "examples" / "devices"
UNASSISTED = CHECKOUT / "local" / "clients" / "unassisted"
# Made by `make device-clients`, below the one folder where everything is made.
PYTHON = CHECKOUT / ".venv" / "clients" / "bin" / "python"
NODE_MODULES = CHECKOUT / ".venv" / "clients" / "node"


@dataclass(frozen=True, kw_only=True)
class Client:
    """One client: its `package`, `program` the smallest use of it, `example` ours that does it right."""

    name: str
    package: str
    program: str
    example: str | None = None

    @property
    def unassisted(self) -> Path:
        """Return the program that uses the client as its own introduction does, with no thought of registration."""
        return UNASSISTED / self.program

    @property
    def assisted(self) -> Path | None:
        """Return the program of ours that does it right."""
        return None if self.example is None else EXAMPLES / self.example


CLIENTS = (
    Client(name="mosquitto_pub -m", package="mosquitto-clients", program="mosquitto.sh", example="mosquitto/device.sh"),
    Client(name="mosquitto_pub -l", package="mosquitto-clients", program="mosquitto-lines.sh"),
    Client(name="paho-mqtt", package="paho-mqtt", program="minimal-pahomqtt.py", example="paho-mqtt/device.py"),
    Client(name="aiomqtt", package="aiomqtt", program="minimal-aio.py", example="aiomqtt/device.py"),
    Client(
        name="awsiotsdk, MQTT 3.1.1",
        package="awsiotsdk",
        program="minimal-awsiotsdk3.py",
        example="awsiotsdk-mqtt3/device.py",
    ),
    Client(
        name="awsiotsdk, MQTT 5",
        package="awsiotsdk",
        program="minimal-awsiotsdk5.py",
        example="awsiotsdk-mqtt5/device.py",
    ),
    Client(name="AWSIoTPythonSDK", package="AWSIoTPythonSDK", program="minimal-awsiotpython.py"),
    Client(name="gmqtt", package="gmqtt", program="minimal-g.py"),
    Client(name="amqtt", package="amqtt", program="minimal-a.py"),
    Client(name="mqtt.js", package="mqtt", program="minimal-mqttjs.mjs", example="mqttjs/device.mjs"),
    Client(name="aws-iot-device-sdk-v2, MQTT 3.1.1", package="aws-iot-device-sdk-v2", program="minimal-awsnode3.mjs"),
    Client(
        name="aws-iot-device-sdk-v2, MQTT 5",
        package="aws-iot-device-sdk-v2",
        program="minimal-awsnode5.mjs",
        example="aws-iot-device-sdk-v2/device.mjs",
    ),
)


def command(program: Path) -> list[str]:
    """Return how a program is started; Node finds packages beside the program only, so it is copied there."""
    match program.suffix:
        case ".py":
            return [str(PYTHON), "-u", str(program)]
        case ".mjs":
            copy = NODE_MODULES / f"{program.parent.name}-{program.name}"
            shutil.copyfile(program, copy)
            return ["node", str(copy)]
    return ["sh", str(program)]


def environment(added: Mapping[str, str]) -> dict[str, str]:
    """Return a program's variables: the shell's, with mosquitto_pub on the path, and those that are added."""
    path = f"{CHECKOUT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONWARNINGS": "ignore", **added}


def version(client: Client) -> str | None:
    """Return a client's version, or None where it is not there."""
    if client.package == "mosquitto-clients":
        return _mosquitto_version()
    if client.program.endswith(".mjs"):
        file = NODE_MODULES / "node_modules" / client.package / "package.json"
        return str(json.loads(file.read_text(encoding="utf-8"))["version"]) if file.exists() else None
    code = f"import importlib.metadata as m; print(m.version({client.package!r}))"
    if not PYTHON.exists():
        return None
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _mosquitto_version() -> str | None:
    if shutil.which("mosquitto_pub", path=environment({})["PATH"]) is None:
        return None
    done = subprocess.run(["mosquitto_pub", "--help"], env=environment({}), capture_output=True, text=True, check=False)
    words = (done.stdout + done.stderr).split()
    return words[words.index("version") + 1] if "version" in words else None
