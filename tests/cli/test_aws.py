"""How commands reach AWS: whose endpoints they use."""

from __future__ import annotations

import boto3
import pytest

from jitr_cli.console.aws import Aws


@pytest.mark.parametrize(
    ("endpoint_url", "private_ca", "iot"),
    [
        ("https://127.0.0.1:1", "http://127.0.0.1:2", "https://127.0.0.1:1"),
        ("https://127.0.0.1:3", "https://127.0.0.1:3", "https://127.0.0.1:3"),
    ],
    ids=["from the variables", "from the option"],
)
def test_one_services_endpoint_may_be_elsewhere(
    monkeypatch: pytest.MonkeyPatch, endpoint_url: str, private_ca: str, iot: str
) -> None:
    """AWS has one variable for every service and one for each; --endpoint-url comes before both."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_ACM_PCA", "http://127.0.0.1:2")
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="eu-west-1")
    aws = Aws(session, endpoint_url)
    assert aws.client("acm-pca").meta.endpoint_url == private_ca
    assert aws.client("iot").meta.endpoint_url == iot
