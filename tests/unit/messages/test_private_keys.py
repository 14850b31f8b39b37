"""No private key leaves the process that made it: the search that every test goes through finds one."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from jitr_cli.tree import root
from jitr_local import pki
from tests.worlds.private_keys import holds_private_key, judged

KEY = pki.private_pem(pki.new_key())
CERTIFICATE = pki.pem(pki.CertificateAuthority.create("factory").certificate)


def report(*sections: str) -> pytest.TestReport:
    """Return the report of a test that passed and printed this."""
    printed = [("Captured stdout call", text) for text in sections]
    return pytest.TestReport("a test", ("file", 1, "test"), {}, "passed", None, "call", printed)


@pytest.mark.parametrize(
    "text",
    [KEY, f"failed: {KEY!r}", json.dumps({"key": KEY}), KEY.replace("PRIVATE", "EC PRIVATE"), {"nested": [KEY]}],
    ids=["bare", "in an exception", "in JSON", "of the old form", "in an answer"],
)
def test_a_private_key_is_found(text: object) -> None:
    """However it was written."""
    assert holds_private_key("something else", text)


def test_certificates_and_sentences_about_keys_are_none() -> None:
    """Or every refusal to read a file would be a finding."""
    assert not holds_private_key(CERTIFICATE, "ca.key holds a private key, not a certificate", {"answer": CERTIFICATE})


def test_a_test_that_prints_a_private_key_fails() -> None:
    """Even one that passed."""
    found = judged(report("hello", KEY))
    assert (found.outcome, KEY in str(found.longrepr)) == ("failed", False)
    assert judged(report("hello", CERTIFICATE)).outcome == "passed"


def test_no_option_takes_a_secret_itself() -> None:
    """Arguments are seen by everyone on the computer: secrets come from files and terminals."""
    secret = {"passphrase", "password", "secret", "token"}
    taking = [
        f"{command_path} {option}"
        for command_path, parameter in options(root, ())
        for option in parameter.opts
        if secret & set(option.strip("-").split("-")) and not (option.endswith("-file") or parameter.is_flag)
    ]
    assert taking == []


def test_every_option_for_a_key_takes_a_file() -> None:
    """Its path, that is."""
    keys = [
        parameter
        for _, parameter in options(root, ())
        if any(option.endswith(("-key", "--key")) for option in parameter.opts)
    ]
    assert keys
    assert all(isinstance(key.type.convert(__file__, key, None), str | Path) for key in keys)


def options(command: click.Command, path: tuple[str, ...]) -> list[tuple[str, click.Option]]:
    """Return every option of every command below one."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        found = ((name, command.get_command(context, name)) for name in command.list_commands(context))
        return [each for name, below in found if below is not None for each in options(below, (*path, name))]
    return [(" ".join(path), each) for each in command.params if isinstance(each, click.Option)]
