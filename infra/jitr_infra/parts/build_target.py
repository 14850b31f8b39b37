"""What a deployment is built for: AWS Lambda as it is, or, for the local stack, this computer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import IReusableStackSynthesizer
from aws_cdk import aws_lambda as lambda_

_MACHINES: Final = {lambda_.Architecture.ARM_64.name: "aarch64", lambda_.Architecture.X86_64.name: "x86_64"}


@dataclass(frozen=True, kw_only=True)
class BuildTarget:
    """Where the function runs. The defaults are the real thing: Lambda's python3.13 on arm64.

    `python` is the Python that wheels are chosen for, `runtime` what CloudFormation is told. `glibc` is the newest
    manylinux tag that the machine can load; Amazon Linux 2023 under python3.13 has glibc 2.34. `synthesizer` is CDK's
    default (bootstrap roles) unless given. `interpreter` is the program of that Python where it is on this computer:
    it compiles the code ahead, so that no process of the function does. AWS Lambda's is not here.
    """

    runtime: lambda_.Runtime = lambda_.Runtime.PYTHON_3_13
    architecture: lambda_.Architecture = lambda_.Architecture.ARM_64
    python: str = "3.13"
    glibc: tuple[str, ...] = ("manylinux2014", "manylinux_2_28", "manylinux_2_34")
    synthesizer: IReusableStackSynthesizer | None = None
    interpreter: str | None = None

    @property
    def platforms(self) -> tuple[str, ...]:
        """Return pip's platform tags."""
        machine = _MACHINES[self.architecture.name]
        return tuple(f"{tag}_{machine}" for tag in self.glibc)
