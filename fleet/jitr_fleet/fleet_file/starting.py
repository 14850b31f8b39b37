"""A deployment repository to begin with: fleet file, policies, CDK app and workflows, with nothing of ours to clone."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jitr_fleet.deployments.names import DEPLOYMENT_NAME, DEPLOYMENT_NAME_SHAPE
from jitr_fleet.deployments.regions import known_regions
from jitr_fleet.deployments.versions import own_version
from jitr_fleet.files.shipped import shipped
from jitr_fleet.files.tables import did_you_mean

# Which Python the CDK runs app.py with: that of whoever ran `jitr init`, which no repository holds, else python3.
PYTHON_FILE: Final = ".python"
_APP: Final = f"$(cat {PYTHON_FILE} 2>/dev/null || echo python3) app.py"
# Names that would hide files of the starter itself from git and from tools.
_HIDDEN: Final = {"gitignore": ".gitignore", "github": ".github"}
_COPIED: Final = ("policies", "schemas")


@dataclass(frozen=True, kw_only=True)
class Start:
    """The deployment that a repository begins with."""

    name: str
    account: str
    region: str

    @classmethod
    def of_file(cls, fleet: Path) -> Start | None:
        """Return the first deployment of a fleet file that is there already, None where it says less than that."""
        try:
            tables = tomllib.loads(fleet.read_text(encoding="utf-8"))["deployments"]
            name, table = next(iter(tables.items()))
            return cls(name=name, account=table["account"], region=table["region"])
        except (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration):
            return None

    def mistakes(self) -> dict[str, str]:
        """Return what is wrong, by the field's name: what the fleet file would refuse."""
        known = known_regions()
        found = {}
        if not re.fullmatch(DEPLOYMENT_NAME, self.name):
            found["name"] = f"expected: {DEPLOYMENT_NAME_SHAPE}"
        if not re.fullmatch(r"[0-9]{12}", self.account):
            found["account"] = "expected: 12 digits"
        if known and self.region not in known:
            near, _, _ = did_you_mean(self.region, known).rpartition("allowed: ")
            found["region"] = f"no such AWS Region; {near or 'expected: one as eu-west-1'}".strip()
        return found


def starting_files(start: Start, folder: Path) -> dict[str, str]:
    """Return the text of every file of a new repository by its path in it; `folder` only lends its name."""
    values = {"NAME": start.name, "ACCOUNT": start.account, "REGION": start.region, "VERSION": own_version()}
    files = {"cdk.json": _cdk_json(), "package.json": _package_json(folder)}
    for path, file in _tree(shipped("starter")):
        first, _, rest = path.partition("/")
        name = _HIDDEN.get(first, first) + (f"/{rest}" if rest else "")
        files[name] = re.sub(r"@([A-Z]+)@", lambda found: values[found[1]], file.read_text(encoding="utf-8"))
    for copied in _COPIED:
        for path, file in _tree(shipped(copied)):
            files[f"{copied}/{path}"] = file.read_text(encoding="utf-8")
    return dict(sorted(files.items()))


def write_missing(files: dict[str, str], folder: Path) -> None:
    """Write the files that are not there yet, and say which Python the CDK is to use here; nothing is written over."""
    for path, text in files.items():
        file = folder / path
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    (folder / PYTHON_FILE).write_text(f"{shutil.which(sys.executable) or sys.executable}\n", encoding="utf-8")


def _tree(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file.relative_to(folder).as_posix(), file


def _cdk_json() -> str:
    ours = _json("cdk.json")
    watch = {"include": ["app.py", "fleet.toml", "policies/**", "cas/**"], "exclude": ["**/__pycache__"]}
    return json.dumps({**ours, "app": _APP, "watch": watch}, indent=2) + "\n"


def _package_json(folder: Path) -> str:
    ours = _json("package.json")
    name = re.sub(r"[^a-z0-9-]+", "-", folder.name.lower()).strip("-") or "fleet"
    kept = {key: ours[key] for key in ("private", "engines", "devDependencies")}
    return json.dumps({"name": name, **kept}, indent=2) + "\n"


def _json(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(shipped(name).read_text(encoding="utf-8"))
    return content
