"""The tree of commands: names and one-line helps here, everything else in one module per command.

A module is imported only when its command runs (or its own help is asked for), so that `jitr crl check` loads neither
boto3 nor the CDK.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

# group → command → one line of help. The module is jitr_cli.<group>.<command>, its command `command`; see _ELSEWHERE.
COMMANDS: Mapping[str, Mapping[str, str]] = {
    "bulk": {
        "list": "list the jobs of bulk work, and how they stand",
        "status": "say how far a job is, and what it could not do",
        "stop": "stop a job; what it did stays done",
        "resume": "let the account go on with a job where it stopped",
        "undo": "bring back what a job switched off",
    },
    "ca": {
        "create": "make a CA with a key of your own, or one in AWS Private CA",
        "csr": "request the verification certificate that DEFAULT mode wants",
        "register": "register a CA in AWS IoT",
        "list": "list the CAs of the account and Region, and who manages them",
        "show": "show one CA and what decides about its devices",
        "adopt": "take a CA that is registered already under management, without a deploy",
        "release": "end the management of an adopted CA",
        "activate": "make a CA ACTIVE in AWS IoT",
        "deactivate": "make a CA INACTIVE in AWS IoT",
        "auto-registration": "switch the registration of unknown devices on or off",
        "hold": "let no device of a CA become ACTIVE, for the emergency",
        "resume": "end a hold",
        "devices": "list the devices that are registered with a CA",
        "revoke-devices": "switch off all devices of a CA, or a list of them",
        "delete": "delete an INACTIVE CA from AWS IoT",
    },
    "crl": {
        "check": "decide whether a certificate is good, revoked or undetermined",
        "show": "print what a CRL says about itself",
        "create": "sign a CRL from an openssl index or a list of serial numbers",
        "revoke": "put certificates on an existing CRL",
        "publish": "verify a CRL and upload it, unless somebody else was faster",
        "confirm": "let a CRL that lists too many devices revoke them for good",
        "reject": "refuse such a CRL, and make its devices ACTIVE again",
        "reset": "forget which CRL was accepted, so that an older one is taken again",
        "forget": "look no more at an address of a CRL that no device needs",
    },
    "device": {
        "create": "make key, request, certificate and chain of one device or of many",
        "list": "list devices with common name, Thing, serial number and status",
        "explain": "say why a device is not active: at which step it stands, and what to do",
        "revoke": "switch devices off for good, or until somebody reinstates them",
        "reinstate": "make an INACTIVE device ACTIVE again, after every check",
        "rebind": "give a Thing to another certificate of the same device",
        "import": "bring certificates that others registered into the registry",
        "allow": "say which serial numbers may become ACTIVE, where a CA has an allow-list",
        "connect": "connect as a device would: chain, SNI, back-off until the certificate is active",
    },
    "dlq": {
        "list": "list the dead letters of all queues, with reason and step",
        "show": "print one dead letter whole, and what to do about it",
        "redrive": "hand dead-lettered events over again, paced",
        "drop": "remove dead letters that nobody needs any more",
    },
    "fleet": {
        "check": "name every mistake in a fleet file",
    },
    "local": {
        "up": "start the stack on this computer and return when it is ready",
        "down": "stop it and forget everything",
        "env": "print the shell variables that point ordinary clients at it",
        "demo": "tell the whole story on it: good, revoked, forged and replayed",
    },
    "policy": {
        "lint": "find what is wrong with policy templates, with file, line, rule and mend",
        "test": "run the cases of policy templates",
        "simulate": "say what a policy lets a device do, and why",
        "render": "print the exact document that AWS IoT gets for a template, and its size",
        "diff": "show which rights templates give and take, beside what is deployed",
        "reattach": "attach a template's policy to all certificates of a CA",
    },
}

GROUP_HELP: Mapping[str, str] = {
    "bulk": "bulk work: jobs that the account does, for fleets that outgrow a laptop",
    "ca": "certificate authorities",
    "crl": "certificate revocation lists",
    "device": "devices",
    "dlq": "dead letters: events that nobody could decide",
    "fleet": "the fleet file: what is deployed where",
    "local": "the same stack on this computer",
    "policy": "policy templates: what devices may do",
}

# Commands that share a module with their siblings, or whose name is a word of Python's: (group, command) → place.
_ELSEWHERE: Mapping[tuple[str, str], str] = {
    ("ca", "activate"): "jitr_cli.ca.switch:activate",
    ("ca", "deactivate"): "jitr_cli.ca.switch:deactivate",
    ("ca", "auto-registration"): "jitr_cli.ca.switch:auto_registration",
    ("ca", "hold"): "jitr_cli.ca.hold:hold",
    ("ca", "resume"): "jitr_cli.ca.hold:resume",
    ("crl", "confirm"): "jitr_cli.crl.decide:confirm",
    ("crl", "reject"): "jitr_cli.crl.decide:reject",
    ("crl", "reset"): "jitr_cli.crl.decide:reset",
    ("crl", "forget"): "jitr_cli.crl.decide:forget",
    ("device", "import"): "jitr_cli.device.import_:command",
    ("device", "explain"): "jitr_cli.explain.command:command",
}

# Commands that stand alone: name → one line of help. The module is jitr_cli.<name>.
SINGLE: Mapping[str, str] = {
    "doctor": "look at a deployment as a new operator would: what is wrong, and how to mend it",
    "init": "make a deployment repository of your own",
    "plan": "say how long a storm of first connects takes, and which quota to raise first",
}


class CommandGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the tree's order."""
        return list(COMMANDS[self.name or ""])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command, or None for an unknown name."""
        group = self.name or ""
        if cmd_name not in COMMANDS[group]:
            return None
        usual = f"jitr_cli.{group}.{cmd_name.replace('-', '_')}:command"
        return _imported(_ELSEWHERE.get((group, cmd_name), usual))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS[self.name or ""].items()))


class Root(click.Group):
    """All groups, and the commands that stand alone."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names, groups and single commands alike, by the alphabet."""
        return sorted([*GROUP_HELP, *SINGLE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a group, import a single command, or return None for an unknown name."""
        if cmd_name in GROUP_HELP:
            return CommandGroup(cmd_name, help=GROUP_HELP[cmd_name])
        return _imported(f"jitr_cli.{cmd_name}:command") if cmd_name in SINGLE else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted([*GROUP_HELP.items(), *SINGLE.items()]))


def _imported(place: str) -> click.Command:
    module, _, name = place.partition(":")
    command: click.Command = getattr(importlib.import_module(module), name)
    return command


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="jitr")
def root() -> None:
    """Just-in-time registration of device certificates on AWS IoT Core."""
