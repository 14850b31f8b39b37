"""Templates as commands take them: a file or folder by its path, or a template of the fleet by its name."""

from __future__ import annotations

from pathlib import Path

from jitr_cli.console.failures import CommandFailed


def template_file(given: str, folder: Path) -> Path:
    """Return the file or folder that is meant; raises CommandFailed where there is neither file nor template.

    A path that exists wins; a word without a slash is else the name of a template in `folder`.
    """
    path = Path(given)
    if path.exists():
        return path
    named = folder / f"{given}.json"
    if "/" not in given and named.exists():
        return named
    known = ", ".join(sorted(each.stem for each in folder.glob("*.json"))) or "none"
    raise CommandFailed(f"there is no file {given}, and no template of that name in {folder}; there are: {known}")
