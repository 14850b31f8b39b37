"""Steps of AWS's walk-throughs (docs/walkthroughs.md) with the documents' own commands: CAs and certificates."""

from __future__ import annotations

import json

from tests.e2e.ordinary_clients import Terminal, named


def register_the_sample_ca(shell: Terminal) -> str:
    """Document 002: a CA, its verification certificate and its registration; returns the CA's id."""
    shell.run("openssl genrsa -out sampleCACertificate.key 2048")
    shell.run(
        "openssl req -x509 -new -nodes -key sampleCACertificate.key -sha256 -days 365 -out sampleCACertificate.pem",
        answers=named("Walk 002"),
    )
    code = json.loads(shell.run("aws iot get-registration-code"))["registrationCode"]
    shell.run("openssl genrsa -out privateKeyVerification.key 2048")
    shell.run("openssl req -new -key privateKeyVerification.key -out privateKeyVerification.csr", answers=named(code))
    shell.run(
        "openssl x509 -req -in privateKeyVerification.csr -CA sampleCACertificate.pem -CAkey sampleCACertificate.key"
        " -CAcreateserial -out privateKeyVerification.crt -days 365 -sha256"
    )
    registered = shell.run(
        "aws iot register-ca-certificate --ca-certificate file://sampleCACertificate.pem"
        " --verification-certificate file://privateKeyVerification.crt"
    )
    ca: str = json.loads(registered)["certificateId"]
    assert shell.ca(ca) == ("INACTIVE", "DISABLE", "DEFAULT")
    return ca


def make_the_sample_device(shell: Terminal, common_name: str) -> None:
    """Document 002: deviceCert.key, and deviceCertAndCACert.crt with the CA's certificate behind the device's."""
    shell.run("openssl genrsa -out deviceCert.key 2048")
    shell.run("openssl req -new -key deviceCert.key -out deviceCert.csr", answers=named(common_name))
    shell.run(
        "openssl x509 -req -in deviceCert.csr -CA sampleCACertificate.pem -CAkey sampleCACertificate.key"
        " -CAcreateserial -out deviceCert.crt -days 365 -sha256"
    )
    shell.run("cat deviceCert.crt sampleCACertificate.pem > deviceCertAndCACert.crt")


def register_with_a_verification_certificate(shell: Terminal, options: str = "") -> str:
    """Documents 003 and 004, DEFAULT mode; returns the CA's id."""
    code = json.loads(shell.run("aws iot get-registration-code --region us-east-1"))["registrationCode"]
    shell.run("openssl genrsa -out verificationCert.key 2048")
    shell.run("openssl req -new -key verificationCert.key -out verificationCert.csr", answers=named(code))
    shell.run(
        "openssl x509 -req -in verificationCert.csr -CA rootCA.pem -CAkey rootCA.key -CAcreateserial"
        " -out verificationCert.pem -days 500 -sha256"
    )
    return shell.run(
        "aws iot register-ca-certificate --ca-certificate file://rootCA.pem"
        f" --verification-cert file://verificationCert.pem {options} --query certificateId --output text"
    )


def make_device(shell: Terminal, common_name: str) -> None:
    """Document 003: deviceCert.key and deviceCert.pem."""
    shell.run("openssl genrsa -out deviceCert.key 2048")
    shell.run("openssl req -new -key deviceCert.key -out deviceCert.csr", answers=named(common_name))
    shell.run(
        "openssl x509 -req -in deviceCert.csr -CA rootCA.pem -CAkey rootCA.key -CAcreateserial -out deviceCert.pem"
        " -days 500 -sha256"
    )
