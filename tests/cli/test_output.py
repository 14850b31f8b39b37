"""What commands print for people."""

from __future__ import annotations

import click
import pytest

from jitr_cli.console.output import emit_table

ID = "0123456789abcdef" * 4
FIX = "aws iot enable-topic-rule --rule-name jitr_prod_registered"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_table_folds_what_does_not_fit_and_cuts_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """An id or a command that another command needs is there whole, on a terminal of any width."""
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    emit_table(("id", "what to do"), [(ID, FIX)])
    out = click.unstyle(capsys.readouterr().out)
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= width
    header, _rule, *lines = [line for line in out.splitlines() if line.strip()]
    start = header.index("what to do")
    assert "".join(line[:start].strip() for line in lines) == ID
    assert "".join("".join(line[start:].split()) for line in lines) == FIX.replace(" ", "")


def test_a_table_that_is_read_by_a_program_has_one_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """As wide as it needs."""
    emit_table(("id", "what to do"), [(ID, FIX)])
    assert any(ID in line and FIX in line for line in capsys.readouterr().out.splitlines())
