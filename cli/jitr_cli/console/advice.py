"""What to do, by the code that says why: one table for devices that are not active and for dead letters.

Each code has a section in the docs that says more. A device's advice says how it gets in; a letter's what to mend
before its event is handed over again. Where a letter needs no words of its own, it gets the device's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from jitr.errors import Reason
from jitr.messages.dead_letters import CRASHED
from jitr_fleet.deployments.runbook import reason_section

_AGAIN = "then `jitr dlq redrive --reason {reason}`"
_LOG = "look at the log of the activation function around that time"
_UNKNOWN = "mend what its section in the runbook says; the device's next connect asks again"
_NO_REASON = (
    f"{_LOG}: the function crashed, or Lambda gave the event up; mend that, then `jitr dlq redrive --id {{id}}`"
)
_INTRUDER = "find out who sent it (CloudTrail) and take the permission away, then `jitr dlq drop --reason {reason}`"


@dataclass(frozen=True)
class Advice:
    """What to do about a device, and about a dead letter; in a letter's {again} and {reason} are filled in."""

    device: str | None = None
    letter: str | None = None


# Codes of `jitr device explain` alone; their sections are in docs/devices.md, all others' in docs/runbook.md.
DEVICES_OWN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unmanaged_ca": "put its CA into the fleet file and deploy, or `jitr ca adopt`; the device's next connect does "
        "the rest",
        "not_registered": "let it connect: MQTT with TLS and SNI, its own certificate first, then its CA's; "
        "`jitr device connect` does it as it should be done",
        "not_attached": "switch it off and on: `jitr device revoke --reason certificateHold`, `jitr device reinstate`; "
        "reinstating attaches Thing and policy again",
        "not_in_registry": "`jitr device import` brings the CA's certificates into the registry",
        "switched_off": "`jitr device reinstate` brings it back, if every check passes",
        "waits_for_event": "let it connect again, or hand its dead letter over: `jitr dlq redrive`",
        "other_status": "it is being transferred, or was registered by an outdated call: finish that first",
        "ca_not_registered": "register its CA in AWS IoT in this Region",
        "auto_registration_off": "switch auto-registration on for its CA",
    }
)
ADVICE: Final[Mapping[str, Advice]] = MappingProxyType(
    {
        # The event itself.
        Reason.MALFORMED_EVENT: Advice(letter=_INTRUDER),
        Reason.FOREIGN_ACCOUNT: Advice(letter=_INTRUDER),
        # What AWS IoT says.
        Reason.CERTIFICATE_NOT_FOUND: Advice(
            letter="the certificate was deleted: its next connect registers it again, so "
            "`jitr dlq drop --reason certificate_not_found`"
        ),
        Reason.CERTIFICATE_MISMATCH: Advice(
            letter="keep letter and `aws iot describe-certificate`, leave the device where it is, and ask AWS support"
        ),
        Reason.MALFORMED_CERTIFICATE: Advice(letter="give the device another certificate, then drop the letter"),
        Reason.CA_NOT_FOUND: Advice(letter="register the CA again (`jitr ca register`, or deploy), {again}"),
        Reason.CA_MISMATCH: Advice(letter="put the CA's present certificate into the fleet file and deploy, {again}"),
        Reason.CA_EXPIRED: Advice(
            letter="register the CA's successor and give the devices new certificates, then drop the letter"
        ),
        Reason.CA_INACTIVE: Advice("activate the CA, in AWS IoT and in the fleet file, if devices are to get in"),
        Reason.CA_RETIRED: Advice("the fleet file lets no new devices of this CA in"),
        Reason.CA_ON_HOLD: Advice("an operator holds the CA; ask why before it is let go"),
        # The certificate.
        Reason.WEAK_KEY: Advice("make a new key and certificate: `jitr device create`"),
        Reason.WEAK_SIGNATURE: Advice("have its CA sign with SHA-256"),
        Reason.CERTIFICATE_EXPIRED: Advice("issue another certificate; check the clock of the CA"),
        Reason.CERTIFICATE_NOT_YET_VALID: Advice("wait until it is valid; the first connect after that activates"),
        Reason.WRONG_SIGNATURE: Advice("find out who made it: it is forged, or of another CA with the same name"),
        Reason.UNUSABLE_NAME: Advice(
            "issue another certificate with a usable common name, or choose another thing_name"
        ),
        Reason.THING_IN_USE: Advice(
            "a renewed certificate of the same device: `jitr device rebind`; two devices of one name: issue another "
            "certificate"
        ),
        Reason.SERIAL_IN_USE: Advice("look at who presents it: a CA must not use a serial number twice"),
        Reason.NOT_ALLOWED: Advice("put its serial number on the allow-list: `jitr device allow`"),
        # Its revocation.
        Reason.REVOKED: Advice(
            "issue another certificate, with another serial number; a wrong CRL has to be corrected first"
        ),
        Reason.REVOKED_BEFORE: Advice("issue another certificate; never delete revoked ones from AWS IoT"),
        Reason.REVOCATION_BRAKED: Advice("decide about the CRL: `jitr crl confirm` or `jitr crl reject`"),
        Reason.CERTIFICATE_HOLD: Advice(
            "take it off the CRL; a waiting device's next connect activates, an INACTIVE one needs "
            "`jitr device reinstate`"
        ),
        # The CRL.
        Reason.NO_CRL: Advice(letter="publish the CRL where the message looked for it (`jitr crl publish`), {again}"),
        Reason.UNREADABLE_DISTRIBUTION_POINT: Advice(
            letter="give the device another certificate, or name the CRL in the fleet file and deploy, {again}"
        ),
        Reason.FETCH_FAILED: Advice(
            letter="make the CRL's address reachable, as the message says (permission, crl_hosts, network), {again}"
        ),
        Reason.TOO_LARGE: Advice(
            letter="have the CA leave expired certificates out of its CRL, or partition it, {again}"
        ),
        Reason.MALFORMED: Advice(letter="publish the CRL again, whole and in DER or PEM, {again}"),
        Reason.BAD_SIGNATURE: Advice(
            letter="find out who wrote this CRL, and publish the one that the CA signed, {again}"
        ),
        Reason.UNSUPPORTED_ALGORITHM: Advice(
            letter="have the CA sign its CRLs with SHA-256 or better, publish, {again}"
        ),
        Reason.ISSUER_MISMATCH: Advice(letter="publish the CRL of the CA that signs the devices, {again}"),
        Reason.NOT_CRL_SIGNER: Advice(
            letter="renew the CA certificate with cRLSign in its keyUsage, and put it into the fleet file"
        ),
        Reason.EXPIRED: Advice(letter="have the CA publish a new CRL, and find out why it stopped, {again}"),
        Reason.NOT_YET_VALID: Advice(
            letter="set the CA's clock and publish again, or wait until the CRL's time has come, {again}"
        ),
        Reason.TOO_OLD: Advice(
            letter="publish a new CRL, or set crl_max_age_hours for a CA that writes no nextUpdate, {again}"
        ),
        Reason.UNKNOWN_CRITICAL: Advice(
            letter="have the CA leave out the CRL's critical extension (`openssl crl -text` shows it), publish, {again}"
        ),
        Reason.OUT_OF_SCOPE: Advice(
            letter="publish the CRL that covers these certificates (`jitr crl show` prints for what it is), {again}"
        ),
        Reason.DELTA: Advice(letter="publish a complete CRL, not a delta, {again}"),
        Reason.INDIRECT: Advice(letter="publish a CRL of this CA alone, {again}"),
        Reason.REASONS: Advice(letter="publish a CRL that covers all revocation reasons, {again}"),
        Reason.ROLLBACK: Advice(
            letter="publish a CRL with a higher number and a later date, or `jitr crl reset`, {again}"
        ),
        Reason.TOO_MANY_CRLS: Advice(
            letter="take out the addresses that no device needs (`jitr crl forget`), or name the CA's CRL in the fleet "
            "file and deploy, {again}"
        ),
        # Everything else.
        Reason.LEASE_HELD: Advice("look again in two minutes", letter="wait two minutes, {again}"),
        Reason.POLICY_UNUSABLE: Advice(letter="mend the policy template as the message says and deploy, {again}"),
        Reason.THROTTLED: Advice(letter="when the storm is over: `jitr dlq redrive --reason throttled`"),
        Reason.ACCESS_DENIED: Advice(
            "these are your permissions, not the function's: use credentials that may read this",
            letter="give the function's role back what the message names (`cdk deploy --revert-drift`; a boundary or "
            "an organisation's policy has to allow it), {again}",
        ),
        Reason.AWS_REFUSED: Advice(letter="`jitr doctor` says what is gone or was changed; mend it, {again}"),
        Reason.AWS_UNAVAILABLE: Advice(
            letter="when AWS is well again (AWS Health Dashboard): `jitr dlq redrive --reason aws_unavailable`"
        ),
        Reason.CONFIGURATION: Advice(
            letter="adopt the CA again with a policy that is deployed (`jitr ca adopt`), {again}"
        ),
        Reason.TOO_MANY_SHIFTS: Advice(
            letter="see what went round (`jitr bulk status JOB --failed`, the functions' log), and begin a new job for "
            "what is left, or {again}"
        ),
        Reason.INTERNAL: Advice(
            letter="a mistake of jitr's: keep letter and traceback (the log) and report them; deploy the version "
            "before if it began with a deploy, {again}"
        ),
        # Codes that letters alone have.
        CRASHED: Advice(letter=f"{_LOG}: time or memory ran out, or it could not start; mend that, {{again}}"),
        "rule_failed": Advice(
            letter="give the topic rule back what it lacks, as the message says (`jitr doctor`, deploy), {again}"
        ),
    }
)


def device_advice(reason: str | None) -> str | None:
    """Return what to do about a device, in one sentence; None where nothing is in its way."""
    if reason is None:
        return None
    return DEVICES_OWN.get(reason) or ADVICE.get(reason, Advice()).device or _UNKNOWN


def registration_advice(reason: str, *, message_id: str) -> str:
    """Return what to do about a dead letter of a registration; an unknown reason is no part of the sentence."""
    known = ADVICE.get(reason)
    text = None if known is None else known.letter or known.device
    if text is None:
        return (_UNKNOWN if reason in Reason.__members__.values() else _NO_REASON).replace("{id}", message_id)
    return text.replace("{again}", _AGAIN).replace("{reason}", reason)


def page(reason: str | None) -> str | None:
    """Return where to read more about a device's reason."""
    if reason is None:
        return None
    return f"docs/devices.md#{reason}" if reason in DEVICES_OWN else reason_section(reason)
