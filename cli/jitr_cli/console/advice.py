"""What to do about a device that is not active, by the code that says why; the pages say more."""

from __future__ import annotations

from jitr.errors import Reason
from jitr_fleet.deployments.runbook import reason_section

# Codes of `jitr device explain` alone; each has a section in docs/devices.md.
OWN = {
    "unmanaged_ca": "put its CA into the fleet file and deploy, or `jitr ca adopt`; the device's next connect does the "
    "rest",
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

_KNOWN = {
    Reason.REVOKED: "issue another certificate, with another serial number; a wrong CRL has to be corrected first",
    Reason.REVOKED_BEFORE: "issue another certificate; never delete revoked ones from AWS IoT",
    Reason.REVOCATION_BRAKED: "decide about the CRL: `jitr crl confirm` or `jitr crl reject`",
    Reason.CERTIFICATE_HOLD: "take it off the CRL; a waiting device's next connect activates, an INACTIVE one needs "
    "`jitr device reinstate`",
    Reason.WEAK_KEY: "make a new key and certificate: `jitr device create`",
    Reason.WEAK_SIGNATURE: "have its CA sign with SHA-256",
    Reason.CERTIFICATE_EXPIRED: "issue another certificate; check the clock of the CA",
    Reason.CERTIFICATE_NOT_YET_VALID: "wait until it is valid; the first connect after that activates",
    Reason.WRONG_SIGNATURE: "find out who made it: it is forged, or of another CA with the same name",
    Reason.UNUSABLE_NAME: "issue another certificate with a usable common name, or choose another thing_name",
    Reason.THING_IN_USE: "a renewed certificate of the same device: `jitr device rebind`; two devices of one name: "
    "issue another certificate",
    Reason.SERIAL_IN_USE: "look at who presents it: a CA must not use a serial number twice",
    Reason.CA_INACTIVE: "activate the CA, in AWS IoT and in the fleet file, if devices are to get in",
    Reason.CA_RETIRED: "the fleet file lets no new devices of this CA in",
    Reason.CA_ON_HOLD: "an operator holds the CA; ask why before it is let go",
    Reason.NOT_ALLOWED: "put its serial number on the allow-list: `jitr device allow`",
    Reason.LEASE_HELD: "look again in two minutes",
    Reason.ACCESS_DENIED: "these are your permissions, not the function's: use credentials that may read this",
}


def advice(reason: str | None) -> str | None:
    """Return one sentence on what to do, where one sentence can say it."""
    if reason is None:
        return None
    if reason in OWN:
        return OWN[reason]
    return _KNOWN.get(Reason(reason), "mend what its section in the runbook says; the device's next connect asks again")


def page(reason: str | None) -> str | None:
    """Return where to read more."""
    if reason is None:
        return None
    return f"docs/devices.md#{reason}" if reason in OWN else reason_section(reason)
