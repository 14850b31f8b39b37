"""On which line each table and key of a TOML file stands, for messages: the standard parser does not say.

Only for text that the parser has accepted. Tables and keys are found in their usual spelling: on a line of their own,
not quoted. Whatever is written otherwise is found at the nearest table around it.
"""

from __future__ import annotations

import re
from collections import Counter

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_-]+(?:\s*\.\s*[A-Za-z0-9_-]+)*)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\s*=")
_PARENT = re.compile(r"(.*)(?:\.[^.\[\]]+|\[[0-9]+\])")
# A text over several lines begins or ends; the other marks and comments are skipped, so that none hides in them.
_TOKEN = re.compile(r'"""|\'\'\'|"(?:[^"\\]|\\.)*"|\'[^\']*\'|#.*')


class TomlLines:
    """Finds lines by the paths that mistakes name: `devices.sensor.thing`, `cases[3].expect`."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, int] = {}
        counted: Counter[str] = Counter()
        table, quoted = "", ""
        # TOML's own line ends only; str.splitlines knows more.
        for number, line in enumerate(text.split("\n"), start=1):
            if not quoted:
                if (header := _HEADER.fullmatch(line)) is not None:
                    table = re.sub(r"\s", "", header.group(2))
                    if header.group(1) == "[[":
                        counted[table] += 1
                        table = f"{table}[{counted[table] - 1}]"
                    self._lines.setdefault(table, number)
                elif (key := _KEY.match(line)) is not None:
                    self._lines.setdefault(f"{table}.{key.group(1)}" if table else key.group(1), number)
            quoted = _open_quote(line, quoted)

    def line_of(self, path: str) -> int:
        """Return the line of a path, or of the nearest table around it; 1 where there is none."""
        while path not in self._lines:
            if (parent := _PARENT.fullmatch(path)) is None:
                return 1
            path = parent.group(1)
        return self._lines[path]


def _open_quote(line: str, quoted: str) -> str:
    """Return the mark of the text that is still open behind a line, empty where none is."""
    position = 0
    while True:
        if quoted:
            end = line.find(quoted, position)
            if end < 0:
                return quoted
            position, quoted = end + len(quoted), ""
        if (token := _TOKEN.search(line, position)) is None:
            return ""
        position = token.end()
        if token.group() in ('"""', "'''"):
            quoted = token.group()
