"""The demo's scene about the policy: the security team edits its template, and a connected device feels it.

Everything is the real thing: `jitr policy test`, `jitr policy diff`, `cdk deploy`, MQTT. The files are a copy, so the
checkout's own policies stay as they are.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jitr_local.device.held_connection import HeldConnection, Published, held
from jitr_local.stack.local_fleet import DEPLOYMENT, POLICIES
from jitr_local.stack.local_stack import Instance, LocalStack
from jitr_local.story.expectation import SummaryLine
from jitr_local.story.factory import Factory, MadeDevice
from jitr_local.story.jitr_command import told_jitr
from jitr_local.story.timeline import Timeline

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

TEMPLATE: Final = "default"
_ARN: Final = "arn:@{partition}:iot:@{region}:@{account}:"
MISTAKEN: Final = "alerts/*"
MENDED: Final = "alerts/${iot:Connection.Thing.ThingName}"
# What the edit has to say about itself.
CASES: Final = """
[devices.edited]
thing = { name = "demo-1" }

[[cases]]
why = "A device raises its own alert."
device = "edited"
action = "iot:Publish"
resource = "topic/alerts/demo-1"
expect = "allowed"

[[cases]]
why = "No device raises another one's alert."
device = "edited"
action = "iot:Publish"
resource = "topic/alerts/demo-2"
expect = "denied"

[[cases]]
why = "Debug output stays in the device."
device = "edited"
action = "iot:Publish"
resource = "topic/devices/demo-1/debug"
expect = "denied"
"""


@dataclass(frozen=True, kw_only=True)
class PolicyEdit:
    """The scene on a running stack; `folder` gets the copy of the policies, and must be called `policies`."""

    stack: LocalStack
    instance: Instance
    timeline: Timeline
    factory: Factory
    folder: Path

    def run(self, device: MadeDevice) -> Sequence[SummaryLine]:
        """Edit, fail, mend and deploy; `device` is ACTIVE before and afterwards."""
        shutil.copytree(POLICIES, self.folder)
        first = self._edited()
        if self.stack.auth:
            return first, *self._felt(device)
        self.timeline.note("this stack was started without --auth: the emulator asks no policy, so no device feels it")
        return first, self._deployed()

    def _felt(self, device: MadeDevice) -> Sequence[SummaryLine]:
        """Deploy while the device is connected; it tries the new right and the removed one before and afterwards."""
        name = device.common_name
        new, removed = f"alerts/{name}", f"devices/{name}/debug"
        self.timeline.chapter(f"Before the deploy, {name} tries what will be new, and what will be gone")
        before = self._tried(device, new), self._tried(device, removed)
        with held(device.at(self.instance)) as connection:
            self.timeline.note(f"{name} connects, and stays connected")
            deployed = self._deployed()
            self.timeline.chapter("The device that stayed connected tries both again")
            # In this order: AWS IoT and the emulator close a connection that publishes what is not allowed.
            after = self._publish(connection, new), self._publish(connection, removed)
        observed = (f"{what}: {before[i]}, then {after[i]}" for i, what in enumerate(("new", "removed")))
        return deployed, SummaryLine(
            expected="connected device: the new right works after the deploy, the removed one does not",
            observed="; ".join(observed),
            met=(before, after) == ((Published.CLOSED, Published.PUBACK), (Published.PUBACK, Published.CLOSED)),
        )

    def _edited(self) -> SummaryLine:
        self.timeline.chapter("The security team edits the policy: alerts for each device, no debug output any more")
        cases = self.folder / f"{TEMPLATE}.cases.toml"
        cases.write_text(cases.read_text(encoding="utf-8") + CASES, encoding="utf-8")
        self._write(MISTAKEN)
        failed = self._told("policy", "test", str(cases))
        self.timeline.note(f"mended: {MISTAKEN} becomes {MENDED}")
        self._write(MENDED)
        passed = self._told("policy", "test", str(cases))
        explained = "another one's alert" in failed.stdout + failed.stderr
        return SummaryLine(
            expected="edited policy: a case fails and says why; mended, all pass",
            observed=f"exit code {failed.returncode}{' with the reason' * explained}, then {passed.returncode}",
            met=(failed.returncode, passed.returncode, explained) == (1, 0, True),
        )

    def _deployed(self) -> SummaryLine:
        self.timeline.chapter("What it changes is shown, and deployed")
        checkout = str(self.folder.parent / "fleet.toml")
        self._told("policy", "diff", TEMPLATE, "--against", str(POLICIES / f"{TEMPLATE}.json"), "--fleet", checkout)
        was = self._version()
        self.timeline.note("$ cdk deploy")
        self.stack.deploy([self.factory.ca], policies=self.folder)
        became = self._version()
        self.timeline.note(
            f"default version {was}, then {became}; AWS takes 6 to 8 minutes to apply it, the emulator none"
        )
        same = self._told("policy", "diff", TEMPLATE, "--fleet", str(self.stack.fleet))
        return SummaryLine(
            expected="cdk deploy: a new default version, which means what the template says",
            observed=f"version {was}, then {became}; diff: exit code {same.returncode}",
            met=int(became) > int(was) and same.returncode == 0,
        )

    def _write(self, alerts: str) -> None:
        (self.folder / f"{TEMPLATE}.json").write_text(edited(alerts), encoding="utf-8")

    def _tried(self, device: MadeDevice, topic: str) -> Published:
        """Connect, publish once and disconnect."""
        with held(device.at(self.instance)) as connection:
            return self._publish(connection, topic)

    def _publish(self, connection: HeldConnection, topic: str) -> Published:
        published = connection.publish(topic)
        self.timeline.note(f"publish to {topic}: {published}")
        return published

    def _version(self) -> str:
        iot: IoTClient = self.instance.client("iot")
        return iot.get_policy(policyName=f"jitr-{DEPLOYMENT}_{TEMPLATE}")["defaultVersionId"]

    def _told(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return told_jitr(self.instance, self.timeline, *arguments)


def edited(alerts: str) -> str:
    """Return the checkout's template with two statements more: alerts may go to `alerts`, debug output nowhere."""
    template = json.loads((POLICIES / f"{TEMPLATE}.json").read_text(encoding="utf-8"))
    template["Statement"] += [
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": f"{_ARN}topic/{alerts}"},
        {"Effect": "Deny", "Action": "iot:Publish", "Resource": f"{_ARN}topic/devices/*/debug"},
    ]
    return json.dumps(template, indent=2)
