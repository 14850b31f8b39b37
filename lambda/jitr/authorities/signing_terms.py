"""AWS Private CA's words for how a CA signs: algorithms, and the templates of certificates (its User Guide)."""

from __future__ import annotations

from typing import Final

# For each kind of key the one algorithm that every Region has; the family has to be that of the signing CA's key.
SIGNING_ALGORITHMS: Final = {
    "EC_prime256v1": "SHA256WITHECDSA",
    "EC_secp384r1": "SHA384WITHECDSA",
    "EC_secp521r1": "SHA512WITHECDSA",
    "RSA_2048": "SHA256WITHRSA",
    "RSA_3072": "SHA256WITHRSA",
    "RSA_4096": "SHA256WITHRSA",
}
ROOT_TEMPLATE: Final = "RootCACertificate/V1"
# For a CA that signs devices: no CA may stand below it.
SUBORDINATE_TEMPLATE: Final = "SubordinateCACertificate_PathLen0/V1"
END_ENTITY_TEMPLATE: Final = "EndEntityCertificate/V1"


def template_arn(partition: str, template: str) -> str:
    """Return the ARN of one of AWS Private CA's certificate templates."""
    return f"arn:{partition}:acm-pca:::template/{template}"
