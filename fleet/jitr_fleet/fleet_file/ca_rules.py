"""Rules about the keys of one CA in the fleet file that depend on each other; what AWS would refuse is refused here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jitr.settings import CERTIFICATE_ATTRIBUTE, ThingNameSource
from jitr_fleet.deployments.deployment import PrivateCaType, Registration
from jitr_fleet.files.mistakes import Mistakes

# AWS IoT Core Developer Guide, "Thing types"; one attribute is our own.
_ATTRIBUTES: Final = 2
_ATTRIBUTES_WITH_TYPE: Final = 49
# AWS IoT Core endpoints and quotas, "Maximum number of thing groups a thing can belong to".
_GROUPS: Final = 10
_FOR_DEVICES_WITH_THINGS: Final = ("thing_type", "thing_groups", "thing_attributes")


def note_private_ca(values: Mapping[str, Any], *, path: str, region: str | None, mistakes: Mistakes) -> None:
    """Note what is missing, or too much, for a CA in a file, in AWS Private CA, or created there by the stack."""
    private_ca = values.get("private_ca")
    created = private_ca if isinstance(private_ca, Mapping) else None
    if "private_ca" in values and "certificate" in values and private_ca is None and values["certificate"] is None:
        mistakes.add(f"{path}.certificate", "missing", "expected: PEM file with the CA's certificate; or private_ca")
    if "crl" in values and values["crl"] is None and created is None:
        mistakes.add(
            f"{path}.crl", "missing", 'expected: where the CA\'s CRL is; "none" to spell out that it is not checked'
        )
    if private_ca is not None and values.get("certificate") is None and values.get("ca_certificate_id") is not None:
        mistakes.add(f"{path}.ca_certificate_id", "found an id", "the deploy finds it out; leave it out")
    if private_ca is not None and values.get("certificate") is None and values.get("device") is not None:
        mistakes.add(
            f"{path}.device",
            f'found "{values["device"]}"',
            "the CA's certificate is known only at deploy; leave it out",
        )
    arns = {"private_ca": private_ca}
    if created is not None:
        _note_created(values, created, path=path, mistakes=mistakes)
        arns = {"private_ca.parent": created.get("parent")}
    for key, arn in arns.items():
        if isinstance(arn, str) and region is not None and arn.split(":")[3] != region:
            mistakes.add(f"{path}.{key}", f"found a CA in {arn.split(':')[3]}", f"expected: one in {region}")


def _note_created(values: Mapping[str, Any], private_ca: Mapping[str, Any], *, path: str, mistakes: Mistakes) -> None:
    for key, words in (
        ("certificate", "the stack creates this CA, so no file holds its certificate; leave it out"),
        ("crl", "the CA writes its CRLs into the stack's own bucket; leave it out"),
    ):
        if values.get(key) is not None:
            mistakes.add(f"{path}.{key}", f'found "{values[key]}"', words)
    kind, parent = private_ca.get("type"), private_ca.get("parent")
    if kind == PrivateCaType.SUBORDINATE and "parent" in private_ca and parent is None:
        mistakes.add(f"{path}.private_ca.parent", "missing", "expected: ARN of the CA that signs this one")
    if kind == PrivateCaType.ROOT and parent is not None:
        mistakes.add(f"{path}.private_ca.parent", "found a parent", 'a root has none; say type = "subordinate"')


def note_registration(values: Mapping[str, Any], *, path: str, observes: bool, mistakes: Mistakes) -> None:
    """Note a registration that AWS IoT, or the deployment's mode, would not allow."""
    if not {"registration", "private_ca", "verification_certificate"} <= values.keys():
        return
    registration, private_ca = values["registration"], values["private_ca"]
    proof = values["verification_certificate"]
    place, of_proof = f"{path}.registration", f"{path}.verification_certificate"
    if registration == Registration.DEFAULT and private_ca is None and proof is None:
        mistakes.add(
            of_proof, "missing", "DEFAULT wants a proof of the CA's key: `jitr ca csr`, signed by the CA; or SNI_ONLY"
        )
    if registration != Registration.DEFAULT and proof is not None:
        mistakes.add(of_proof, f"found one for {registration}", 'it is for registration = "DEFAULT" only; leave it out')
    if private_ca is not None and proof is not None:
        mistakes.add(of_proof, "found one for a CA in AWS Private CA", "the deploy has it signed; leave it out")
    if registration == Registration.EXISTING and isinstance(private_ca, Mapping):
        mistakes.add(place, 'found "existing"', "the stack creates this CA, so it cannot be registered already")
    if observes and registration != Registration.EXISTING:
        mistakes.add(
            place, f'found "{registration}"', 'mode = "observe" registers nothing; expected: registration = "existing"'
        )


def note_things(values: Mapping[str, Any], *, path: str, mistakes: Mistakes) -> None:
    """Note a type, groups or attributes that no Thing of these devices could have."""
    if not {"thing_name", *_FOR_DEVICES_WITH_THINGS} <= values.keys():
        return
    if values["thing_name"] == ThingNameSource.OFF:
        for key in _FOR_DEVICES_WITH_THINGS:
            if values[key]:
                mistakes.add(f"{path}.{key}", 'found one beside thing_name = "off"', "these devices have no Things")
    attributes, groups = values["thing_attributes"], values["thing_groups"]
    most = _ATTRIBUTES if values["thing_type"] is None else _ATTRIBUTES_WITH_TYPE
    if CERTIFICATE_ATTRIBUTE in attributes:
        mistakes.add(
            f"{path}.thing_attributes", f'found "{CERTIFICATE_ATTRIBUTE}"', "it says whom a Thing belongs to; leave it"
        )
    if len(attributes) > most:
        more = "" if values["thing_type"] else f", or {_ATTRIBUTES_WITH_TYPE} with thing_type"
        mistakes.add(f"{path}.thing_attributes", f"found {len(attributes)}", f"AWS IoT allows {most} beside ours{more}")
    if len(groups) > _GROUPS:
        mistakes.add(f"{path}.thing_groups", f"found {len(groups)}", f"a Thing may be in {_GROUPS} groups")
    if len(set(groups)) < len(groups):
        mistakes.add(f"{path}.thing_groups", "found a name twice", "each group once")
