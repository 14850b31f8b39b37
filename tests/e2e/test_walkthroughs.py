"""Every step of AWS's walk-throughs (docs/walkthroughs.md), on a stack that enforces permissions.

First each document with its own commands, word for word but for what it leaves open: a common name, ids, the endpoint
and its port. Its CA is taken under management with template `walkthrough`. Then the same by `jitr`, the safe way.
Document 000 is in test_walkthroughs_private_ca.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jitr_local.story.observations import outputs
from tests.e2e.conftest import World
from tests.e2e.document_steps import (
    make_device,
    make_the_sample_device,
    register_the_sample_ca,
    register_with_a_verification_certificate,
)
from tests.e2e.ordinary_clients import Terminal, named, require_mosquitto_pub

pytestmark = pytest.mark.e2e

ADOPT = "jitr ca adopt --ca-certificate-id {} --crl none --policy walkthrough --yes"
STATUS = "aws iot describe-certificate --certificate-id {} --query certificateDescription.status --output text"
OTHER_ACCOUNT = "111111111111"


@pytest.fixture
def shell(strict_world: World, tmp_path: Path) -> Terminal:
    """A person's shell in an empty folder, as after `jitr local up --auth`."""
    return Terminal(strict_world.instance, tmp_path)


def test_document_002_a_device_registers_itself_and_publishes(shell: Terminal) -> None:
    """The blog post of 2016: from an openssl CA to a device that mosquitto_pub publishes as, and to its end."""
    require_mosquitto_pub()
    ca = register_the_sample_ca(shell)
    shell.run(f"aws iot update-ca-certificate --certificate-id {ca} --new-status ACTIVE")
    shell.run(f"aws iot update-ca-certificate --certificate-id {ca} --new-auto-registration-status ENABLE")
    assert shell.ca(ca) == ("ACTIVE", "ENABLE", "DEFAULT")
    the_rule_invokes_the_function(shell)
    shell.run(ADOPT.format(ca))

    make_the_sample_device(shell, "walk-002")
    shell.run('cp "$JITR_SERVER_CA" root.cert')
    publish = (
        "mosquitto_pub --cafile root.cert --cert deviceCertAndCACert.crt --key deviceCert.key -h $JITR_MQTT_HOST"
        ' -p $JITR_MQTT_PORT -q 1 -t foo/bar -i anyclientID --tls-version tlsv1.2 -m "Hello" -d'
    )
    dropped = shell.attempt(publish)
    assert (dropped.returncode != 0, "CONNACK" in dropped.stdout) == (True, False), dropped.stdout
    assert "received PUBACK" in shell.repeat(publish)
    assert "PUBACK" not in shell.attempt(f"timeout 3 {publish.replace('foo/bar', 'foo/other')}").stdout
    listing = f"aws iot list-certificates-by-ca --ca-certificate-id {ca}"
    (device,) = json.loads(shell.run(listing))["certificates"]
    assert device["status"] == "ACTIVE"

    shell.run(f"aws iot update-ca-certificate --certificate-id {ca} --new-status INACTIVE")
    assert "received PUBACK" in shell.run(publish)
    shell.run(f"aws iot update-certificate --certificate-id {device['certificateId']} --new-status REVOKED")
    assert "CONNACK" not in shell.attempt(publish).stdout
    make_the_sample_device(shell, "walk-002-too-late")
    assert "CONNACK" not in shell.attempt(publish).stdout
    assert len(json.loads(shell.run(listing))["certificates"]) == 1


def test_document_003_certificates_are_registered_by_hand(shell: Terminal) -> None:
    """The guide to own certificates: a device that never connects for it, the other ways to register, and the end."""
    shell.run("openssl genrsa -out rootCA.key 2048")
    shell.run(
        "openssl req -x509 -new -nodes -key rootCA.key -sha256 -days 1024 -out rootCA.pem", answers=named("Walk 003")
    )
    ca = register_with_a_verification_certificate(shell)
    shell.run(f"aws iot update-ca-certificate --certificate-id {ca} --new-status ACTIVE")
    make_device(shell, "walk-003")
    register = (
        "aws iot register-certificate --certificate-pem file://{} --ca-certificate-pem file://{}"
        " --query certificateId --output text"
    )
    device = shell.run(register.format("deviceCert.pem", "rootCA.pem"))
    assert shell.run(STATUS.format(device)) == "INACTIVE"
    shell.run(f"aws iot update-certificate --certificate-id {device} --new-status ACTIVE")
    assert shell.run(STATUS.format(device)) == "ACTIVE"

    # Ours, where the document makes ACTIVE whatever it is told to: registered by hand, then checked, then ACTIVE.
    shell.run(ADOPT.format(ca))
    make_device(shell, "walk-003-b")
    shell.run("cp deviceCert.pem deviceCert.crt; cp rootCA.pem caCert.crt")
    checked = shell.run(register.format("deviceCert.crt", "caCert.crt"))
    shell.run("jitr device reinstate deviceCert.crt --yes")
    assert shell.run(STATUS.format(checked)) == "ACTIVE"
    shell.set("ARN", f"arn:aws:iot:us-east-1:{shell.instance.account}:cert/{checked}")
    attached = "aws iot list-attached-policies --query 'policies[].policyName' --output text --target $ARN"
    assert shell.run(attached) == "jitr-local_walkthrough"

    shell.run(f"aws iot update-ca-certificate --certificate-id {ca} --new-auto-registration-status ENABLE")
    shell.run(f"aws iot update-ca-certificate --certificate-id {ca} --new-status INACTIVE")
    shell.run(f"aws iot update-certificate --certificate-id {device} --new-status REVOKED")
    assert shell.run(STATUS.format(device)) == "REVOKED"
    # The document's list of what a compromised CA signed, each to be revoked: ours is one command.
    shell.run(f"jitr ca revoke-devices --ca-certificate-id {ca} --all --reason cACompromise --yes")
    assert shell.run(STATUS.format(checked)) == "REVOKED"
    shell.run(f"aws iot delete-ca-certificate --certificate-id {ca}")
    shell.run("cp verificationCert.pem privateKeyVerificationCert.crt")
    shell.run(
        "aws iot register-ca-certificate --ca-certificate file://rootCA.pem"
        " --verification-cert file://privateKeyVerificationCert.crt --allow-auto-registration"
    )
    assert shell.ca(ca) == ("INACTIVE", "ENABLE", "DEFAULT")


def test_document_004_one_ca_is_registered_in_two_accounts(shell: Terminal) -> None:
    """The post about several accounts: DEFAULT in one account, SNI_ONLY in the other."""
    shell.run("openssl genrsa -out rootCA.key 2048")
    (shell.folder / "rootCA_openssl.conf").write_text("[ v3_ca ]\nbasicConstraints = CA:TRUE\n")
    shell.run("openssl req -new -sha256 -key rootCA.key -nodes -out rootCA.csr", answers=named("Walk 004"))
    shell.run(
        "openssl x509 -req -days 1024 -extfile rootCA_openssl.conf -extensions v3_ca -in rootCA.csr -signkey rootCA.key"
        " -out rootCA.pem"
    )
    options = "--set-as-active --allow-auto-registration --region us-east-1"
    ca = register_with_a_verification_certificate(shell, options)
    assert shell.ca(ca) == ("ACTIVE", "ENABLE", "DEFAULT")
    shell.set("AWS_ACCESS_KEY_ID", OTHER_ACCOUNT)
    shell.run(
        "aws iot register-ca-certificate --ca-certificate file://rootCA.pem --certificate-mode SNI_ONLY --set-as-active"
        " --allow-auto-registration --region us-east-1"
    )
    assert shell.ca(ca) == ("ACTIVE", "ENABLE", "SNI_ONLY")


def test_the_same_by_jitr(shell: Terminal) -> None:
    """What docs/walkthroughs.md sets beside documents 002 to 004: CRL checked, default policy, keys encrypted."""
    (shell.folder / "passphrase").write_text("a long and boring one\n")
    signs = "--ca-key ca.key --passphrase-file passphrase"
    shell.run("jitr ca create --common-name 'Walk by jitr' --out ca.pem --key-out ca.key --passphrase-file passphrase")
    shell.run(f"jitr ca register --certificate ca.pem {signs} --yes")
    ca = json.loads(shell.run("jitr ca register --certificate ca.pem --mode DEFAULT --json --yes"))["ca_certificate_id"]
    assert shell.ca(ca) == ("ACTIVE", "ENABLE", "DEFAULT")
    shell.run(f"jitr ca adopt --ca-certificate-id {ca} --crl s3://{shell.instance.crl_bucket}/walk.crl --yes")
    shell.run("jitr crl create --issuer ca.pem --key ca.key --passphrase-file passphrase --out walk.crl")
    shell.run("jitr crl publish walk.crl --issuer ca.pem --yes")
    shell.run(f"jitr device create --cn walk-by-jitr --ca-certificate ca.pem {signs}")
    folder = "devices/walk-by-jitr"
    shell.run(
        f"jitr device connect --certificate {folder}/chain.pem --key {folder}/device.key --server-ca $JITR_SERVER_CA"
        " --topic devices/walk-by-jitr/up --message Hello --base 1 --cap 3 --timeout 45"
    )
    shell.run(f"jitr device explain {folder}/device.pem")
    (device,) = json.loads(shell.run(f"jitr ca devices --ca-certificate-id {ca} --json"))["devices"]
    assert device["status"] == "ACTIVE"
    shell.run(f"jitr ca deactivate --ca-certificate-id {ca} --yes")
    assert shell.ca(ca) == ("INACTIVE", "ENABLE", "DEFAULT")
    shell.run(
        f"jitr device revoke {folder}/device.pem --reason keyCompromise --crl walk.crl --issuer ca.pem --key ca.key"
        " --passphrase-file passphrase --yes"
    )
    assert shell.run(STATUS.format(device["certificate_id"])) == "REVOKED"
    shell.run(f"jitr crl check --certificate {folder}/device.pem --issuer ca.pem --crl walk.crl", expect=1)
    shell.set("AWS_ACCESS_KEY_ID", OTHER_ACCOUNT)
    shell.run("jitr ca register --certificate ca.pem --yes")
    assert shell.ca(ca) == ("ACTIVE", "ENABLE", "SNI_ONLY")


def test_a_ca_whose_key_somebody_else_has_by_jitr(shell: Terminal) -> None:
    """The request goes to the CA's owner and comes back signed; then each switch of the CA, and its end."""
    shell.run("jitr ca create --common-name 'Walk elsewhere' --out ca.pem --key-out ca.key --no-passphrase")
    shell.run("jitr ca csr --out verification.csr")
    shell.run("openssl x509 -req -in verification.csr -CA ca.pem -CAkey ca.key -out verification.pem -days 1 -sha256")
    register = (
        "jitr ca register --certificate ca.pem --verification-certificate verification.pem --inactive --json --yes"
    )
    ca = json.loads(shell.run(register))["ca_certificate_id"]
    assert shell.ca(ca) == ("INACTIVE", "ENABLE", "DEFAULT")
    this = f"--ca-certificate-id {ca} --yes"
    shell.run(f"jitr ca adopt {this} --crl none")
    shell.run(f"jitr ca activate {this}")
    shell.run(f"jitr ca auto-registration off {this}")
    assert shell.ca(ca) == ("ACTIVE", "DISABLE", "DEFAULT")
    shell.run(f"jitr ca auto-registration on {this}")
    shell.run(f"jitr ca hold {this}")
    assert "hold" in shell.run(f"jitr ca show --ca-certificate-id {ca}")
    shell.run(f"jitr ca resume {this}")
    assert shell.ca(ca) == ("ACTIVE", "ENABLE", "DEFAULT")
    shell.run(f"jitr device import {this}")
    shell.run(f"jitr ca deactivate {this}")
    shell.run(f"jitr ca release {this}")
    shell.run(f"jitr ca delete {this}")
    assert "ResourceNotFoundException" in shell.attempt(f"aws iot describe-ca-certificate --certificate-id {ca}").stderr


def the_rule_invokes_the_function(shell: Terminal) -> None:
    """What document 002 makes in the console is what `cdk deploy` made; its own add-permission works on it too."""
    rule = outputs(shell.instance).rule
    found = json.loads(shell.run(f"aws iot get-topic-rule --rule-name {rule}"))
    assert "'$aws/events/certificates/registered/" in found["rule"]["sql"]
    (action,) = found["rule"]["actions"]
    assert action["lambda"]["functionArn"].endswith(f":function:{shell.instance.function}")
    on_function = f"--function-name {shell.instance.function} --region us-east-1"
    shell.run(
        f"aws lambda add-permission {on_function} --principal iot.amazonaws.com --source-arn {found['ruleArn']}"
        f' --source-account {shell.instance.account} --statement-id Id-123 --action "lambda:InvokeFunction"'
    )
    statements = json.loads(json.loads(shell.run(f"aws lambda get-policy {on_function}"))["Policy"])["Statement"]
    added, made = ([each for each in statements if (each["Sid"] == "Id-123") is own] for own in (True, False))
    assert [each["Condition"] for each in added] == [each["Condition"] for each in made]
    shell.run(f"aws lambda remove-permission {on_function} --statement-id Id-123")
