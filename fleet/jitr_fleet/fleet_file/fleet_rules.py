"""Rules about CAs of the fleet file that concern several of them, or several deployments."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from cryptography import x509

from jitr_fleet.deployments.deployment import Deployment, FleetCa, NewPrivateCa, Registration
from jitr_fleet.files.mistakes import Mistakes
from jitr_fleet.fleet_file.verification_file import registration_code

# AWS IoT API reference, RegisterCACertificate.
_SAME_SUBJECT: Final = 10
# What the deploy finds out travels in environment variables, of which a function may have 4 KB in all.
_KNOWN_AT_DEPLOY: Final = 12


def note_fleet_mistakes(deployments: Sequence[Deployment], mistakes: Mistakes) -> None:
    """Note what is right in each deployment by itself, and wrong in all of them together."""
    for deployment in deployments:
        _note_private_cas(deployment, mistakes)
    _note_shared_cas(deployments, mistakes)
    _note_default_twice(deployments, mistakes)
    _note_codes(deployments, mistakes)
    _note_subjects(deployments, mistakes)
    _note_thing_groups(deployments, mistakes)


def _identity(ca: FleetCa) -> str | None:
    """Return what tells a CA from others before a deploy; None for one that is still to be created."""
    return ca.ca_certificate_id or (ca.private_ca if isinstance(ca.private_ca, str) else None)


def _cas(deployments: Sequence[Deployment]) -> Iterator[tuple[Deployment, FleetCa]]:
    return ((deployment, ca) for deployment in deployments for ca in deployment.cas)


def _note_private_cas(deployment: Deployment, mistakes: Mistakes) -> None:
    place = f"deployments.{deployment.name}"
    found = sum(ca.known_at_deploy for ca in deployment.cas)
    if found > _KNOWN_AT_DEPLOY:
        mistakes.add(
            f"{place}.cas",
            f"{found} CAs in AWS Private CA without a certificate file",
            f"at most {_KNOWN_AT_DEPLOY} in a deployment; give others their `certificate` beside `private_ca`",
        )
    created = any(isinstance(ca.private_ca, NewPrivateCa) for ca in deployment.cas)
    foreign = [each for each in deployment.crl_publishers if each.split(":")[4] != deployment.account]
    if created and foreign:
        # AWS Private CA wants a bucket with ACLs, in which an object belongs to the account that wrote it.
        mistakes.add(
            f"{place}.crl_publishers",
            f"found {foreign[0]}",
            "beside a CA that the stack creates, roles of the deployment's own account only",
        )


def _note_shared_cas(deployments: Sequence[Deployment], mistakes: Mistakes) -> None:
    """Note CAs that two deployments of one account and Region both manage: each event would be decided twice."""
    owners: dict[tuple[str, str, str], str] = {}
    for deployment, ca in _cas(deployments):
        identity = _identity(ca)
        if identity is None:
            continue
        place = (deployment.account, deployment.region, identity)
        if place in owners and owners[place] != deployment.name:
            mistakes.add(
                f"deployments.{deployment.name}.cas",
                f'CA "{ca.name}" is managed by deployment "{owners[place]}" too',
                "one deployment of an account and Region manages a CA",
            )
        owners.setdefault(place, deployment.name)


def _note_default_twice(deployments: Sequence[Deployment], mistakes: Mistakes) -> None:
    """Note CAs that two accounts want in DEFAULT mode in one Region: AWS IoT gives that to one account."""
    owners: dict[tuple[str, str], Deployment] = {}
    for deployment, ca in _cas(deployments):
        identity = _identity(ca)
        if identity is None or ca.registration is not Registration.DEFAULT:
            continue
        owner = owners.setdefault((deployment.region, identity), deployment)
        if owner.account != deployment.account:
            mistakes.add(
                f"deployments.{deployment.name}.cas",
                f'CA "{ca.name}" is in DEFAULT mode in deployment "{owner.name}" of {deployment.region} too',
                "AWS IoT allows that in one account of a Region; say SNI_ONLY",
            )


def _note_codes(deployments: Sequence[Deployment], mistakes: Mistakes) -> None:
    """Note one registration code in two places: each account and Region has its own."""
    places: dict[str, Deployment] = {}
    for deployment, ca in _cas(deployments):
        if ca.verification_certificate is None:
            continue
        first = places.setdefault(registration_code(ca.verification_certificate), deployment)
        if (first.account, first.region) != (deployment.account, deployment.region):
            mistakes.add(
                f"deployments.{deployment.name}.cas",
                f'the verification certificate of CA "{ca.name}" has the registration code of "{first.name}"',
                "each account and Region has a code of its own: `jitr ca csr` there",
            )


def _note_subjects(deployments: Sequence[Deployment], mistakes: Mistakes) -> None:
    counted: Counter[tuple[str, str, bytes]] = Counter()
    for deployment, ca in _cas(deployments):
        if ca.known_at_deploy:
            continue
        subject = x509.load_pem_x509_certificate(ca.certificate.encode("ascii")).subject
        place = (deployment.account, deployment.region, subject.public_bytes())
        counted[place] += 1
        if counted[place] == _SAME_SUBJECT + 1:
            mistakes.add(
                f"deployments.{deployment.name}.cas",
                f'CA "{ca.name}" is one of more than {_SAME_SUBJECT} with the subject {subject.rfc4514_string()}',
                f"AWS IoT registers {_SAME_SUBJECT} CAs with one subject in an account and Region",
            )


def _note_thing_groups(deployments: Sequence[Deployment], mistakes: Mistakes) -> None:
    """Note a group or type that two stacks of one account and Region would both create."""
    owners: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for deployment, ca in _cas(deployments):
        if not deployment.create_thing_groups or deployment.observes:
            continue
        known = owners[deployment.account, deployment.region]
        named = [f"group {each}" for each in ca.thing_groups] + ([f"type {ca.thing_type}"] if ca.thing_type else [])
        for what in named:
            owner = known.setdefault(what, deployment.name)
            if owner != deployment.name:
                mistakes.add(
                    f"deployments.{deployment.name}.cas",
                    f'the thing {what} of CA "{ca.name}" is created by deployment "{owner}" too',
                    "one of the two creates it; say create_thing_groups = false in the other",
                )
