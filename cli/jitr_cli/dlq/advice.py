"""What to do about a dead letter, in one sentence; its section in the runbook says more."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from jitr.errors import Reason
from jitr.messages.dead_letters import CRASHED
from jitr_cli.console.advice import advice as device_advice
from jitr_cli.dlq.queue import Held, QueueName

_AGAIN = "then `jitr dlq redrive --reason {reason}`"
_LOG = "look at the log of the activation function around that time"
_OF_QUEUES: Final = {
    QueueName.ENFORCEMENT: "mend the cause; the next sweep does it all again, then drop the letter",
    QueueName.BULK: "mend the cause, `jitr bulk resume JOB`, then drop the letter",
}
# {again} is how to hand over all letters of the same reason; what a letter of the activation queue may say.
OF_REASONS: Final = MappingProxyType(
    {
        # The event itself.
        Reason.MALFORMED_EVENT: "find out who sent it (CloudTrail) and take the permission away, then "
        "`jitr dlq drop --reason malformed_event`",
        Reason.FOREIGN_ACCOUNT: "find out who sent it (CloudTrail) and take the permission away, then "
        "`jitr dlq drop --reason foreign_account`",
        # What AWS IoT says.
        Reason.CERTIFICATE_NOT_FOUND: "the certificate was deleted: its next connect registers it again, so "
        "`jitr dlq drop --reason certificate_not_found`",
        Reason.CERTIFICATE_MISMATCH: "keep letter and `aws iot describe-certificate`, leave the device where it is, "
        "and ask AWS support",
        Reason.MALFORMED_CERTIFICATE: "give the device another certificate, then drop the letter",
        Reason.CA_NOT_FOUND: "register the CA again (`jitr ca register`, or deploy), {again}",
        Reason.CA_MISMATCH: "put the CA's present certificate into the fleet file and deploy, {again}",
        Reason.CA_EXPIRED: "register the CA's successor and give the devices new certificates, then drop the letter",
        # The CRL.
        Reason.NO_CRL: "publish the CRL where the message looked for it (`jitr crl publish`), {again}",
        Reason.FETCH_FAILED: "make the CRL's address reachable, as the message says (permission, crl_hosts, network), "
        "{again}",
        Reason.TOO_LARGE: "have the CA leave expired certificates out of its CRL, or partition it, {again}",
        Reason.MALFORMED: "publish the CRL again, whole and in DER or PEM, {again}",
        Reason.BAD_SIGNATURE: "find out who wrote this CRL, and publish the one that the CA signed, {again}",
        Reason.UNSUPPORTED_ALGORITHM: "have the CA sign its CRLs with SHA-256 or better, publish, {again}",
        Reason.ISSUER_MISMATCH: "publish the CRL of the CA that signs the devices, {again}",
        Reason.NOT_CRL_SIGNER: "renew the CA certificate with cRLSign in its keyUsage, and put it into the fleet file",
        Reason.EXPIRED: "have the CA publish a new CRL, and find out why it stopped, {again}",
        Reason.NOT_YET_VALID: "set the CA's clock and publish again, or wait until the CRL's time has come, {again}",
        Reason.TOO_OLD: "publish a new CRL, or set crl_max_age_hours for a CA that writes no nextUpdate, {again}",
        Reason.UNKNOWN_CRITICAL: "have the CA leave out the CRL's critical extension (`openssl crl -text` shows it), "
        "publish, {again}",
        Reason.OUT_OF_SCOPE: "publish the CRL that covers these certificates (`jitr crl show` prints for what it is), "
        "{again}",
        Reason.DELTA: "publish a complete CRL, not a delta, {again}",
        Reason.INDIRECT: "publish a CRL of this CA alone, {again}",
        Reason.REASONS: "publish a CRL that covers all revocation reasons, {again}",
        Reason.ROLLBACK: "publish a CRL with a higher number and a later date, or `jitr crl reset`, {again}",
        # Everything else.
        Reason.LEASE_HELD: "wait two minutes, {again}",
        Reason.POLICY_UNUSABLE: "mend the policy template as the message says and deploy, {again}",
        Reason.THROTTLED: "when the storm is over: `jitr dlq redrive --reason throttled`",
        Reason.ACCESS_DENIED: "give the function's role back what the message names (`cdk deploy --revert-drift`; a "
        "boundary or an organisation's policy has to allow it), {again}",
        Reason.AWS_REFUSED: "`jitr doctor` says what is gone or was changed; mend it, {again}",
        Reason.AWS_UNAVAILABLE: "when AWS is well again (AWS Health Dashboard): `jitr dlq redrive --reason "
        "aws_unavailable`",
        Reason.CONFIGURATION: "adopt the CA again with a policy that is deployed (`jitr ca adopt`), {again}",
        Reason.INTERNAL: "a mistake of jitr's: keep letter and traceback (the log) and report them; deploy the version "
        "before if it began with a deploy, {again}",
    }
)
_OTHERS: Final = {
    CRASHED: f"{_LOG}: time or memory ran out, or it could not start; mend that, {{again}}",
    "rule_failed": "give the topic rule back what it lacks, as the message says (`jitr doctor`, deploy), {again}",
}
_NO_REASON = (
    f"{_LOG}: the function crashed, or Lambda gave the event up; mend that, then `jitr dlq redrive --id {{id}}`"
)
_UNREADABLE = "find out who may write to the queue; nothing can be handed over: `jitr dlq drop --queue {} --unreadable`"


def advice(held: Held) -> str:
    """Return what to do about one letter; whatever its reason says, it is never part of the sentence."""
    if held.letter.event is None:
        return _UNREADABLE.format(held.queue)
    if held.queue in _OF_QUEUES:
        return _OF_QUEUES[held.queue]
    reason = held.letter.reason
    if reason in Reason.__members__.values():
        known = Reason(reason)
        text = OF_REASONS.get(known) or device_advice(known) or _NO_REASON
    else:
        text = _OTHERS.get(reason, _NO_REASON)
    return text.replace("{again}", _AGAIN.format(reason=reason)).replace("{id}", held.message_id)
