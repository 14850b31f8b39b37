"""Names of policies in AWS IoT: stable, accepted by AWS, and never the same for two different things."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitr.settings import Configuration
from jitr_fleet.deployments.names import DEPLOYMENT_NAME, POLICY_NAME

# AWS IoT API reference, CreatePolicy.
AWS_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
CERTIFICATE_ID = "0123456789abcdef" * 4
LONGEST_DEPLOYMENT = "d" * 24
LONGEST_TEMPLATE = "t" * 98

deployments = st.from_regex(DEPLOYMENT_NAME, fullmatch=True)
templates = st.from_regex(POLICY_NAME, fullmatch=True)
ids = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)


def named(deployment: str, template: str, certificate_id: str | None = None) -> str:
    """The name of a policy: shared, or the device's own."""
    configuration = Configuration(deployment=deployment)
    if certificate_id is None:
        return configuration.policy_name(template)
    return configuration.device_policy_name(template, certificate_id)


def test_a_devices_policy_is_named_after_deployment_certificate_and_template() -> None:
    """So that whoever sees one knows whose it is."""
    assert named("prod-eu", "gateway", CERTIFICATE_ID) == f"jitr-prod-eu.{CERTIFICATE_ID}.gateway"


@pytest.mark.parametrize("length", [1, 33, 34, 98])
def test_the_longest_names_are_accepted_by_aws(length: int) -> None:
    """A deployment name of 24 characters, and any template name that the fleet file allows."""
    template = LONGEST_TEMPLATE[:length]
    assert re.fullmatch(DEPLOYMENT_NAME, LONGEST_DEPLOYMENT)
    assert not re.fullmatch(DEPLOYMENT_NAME, LONGEST_DEPLOYMENT + "d")
    for name in (named(LONGEST_DEPLOYMENT, template), named(LONGEST_DEPLOYMENT, template, CERTIFICATE_ID)):
        assert AWS_NAME.fullmatch(name)


@given(deployment=deployments, template=templates, certificate_id=st.none() | ids)
def test_every_name_is_accepted_by_aws_and_matched_by_the_pattern_of_its_kind(
    deployment: str, template: str, certificate_id: str | None
) -> None:
    """The permissions name the patterns: one for shared policies, one for devices' own, and no name fits both."""
    name, configuration = named(deployment, template, certificate_id), Configuration(deployment=deployment)
    assert AWS_NAME.fullmatch(name)
    assert fnmatchcase(name, configuration.policy_name("*")) == (certificate_id is None)
    assert fnmatchcase(name, configuration.device_policies) == (certificate_id is not None)


@given(
    one=st.tuples(deployments, templates, st.none() | ids),
    other=st.tuples(deployments, templates, st.none() | ids),
)
def test_two_different_policies_never_share_a_name(
    one: tuple[str, str, str | None], other: tuple[str, str, str | None]
) -> None:
    """Other deployment, other template or other device: other name."""
    assert (named(*one) == named(*other)) == (one == other)


def test_templates_that_differ_only_beyond_what_fits_have_different_names() -> None:
    """Cutting a name off would make them one."""
    first, second = "x" * 90 + "1", "x" * 90 + "2"
    assert named("d", first, CERTIFICATE_ID) != named("d", second, CERTIFICATE_ID)
    assert named("d", first, CERTIFICATE_ID) == named("d", first, CERTIFICATE_ID)


def test_a_template_named_like_a_hash_is_not_taken_for_one() -> None:
    """The sign before it tells a name from the hash of a longer one."""
    hashed = named("d", LONGEST_TEMPLATE, CERTIFICATE_ID)
    digest = hashed.rpartition("=")[2]
    assert len(digest) == 32
    assert named("d", digest, CERTIFICATE_ID) != hashed
