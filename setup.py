"""Puts into the wheel what jitr needs and is no Python: locks, policies, schemas, cookbook, by their paths here.

All else about the package stands in pyproject.toml.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CHECKOUT = Path(__file__).parent
# Read by jitr_fleet.files.shipped.
SHIPPED = ("starter", "lambda/requirements.txt", "policies", "schemas", "docs/cookbook", "cdk.json", "package.json")


class BuildWithFiles(build_py):
    """Copies the files into the package jitr_fleet; an editable install reads them where they are."""

    def run(self) -> None:
        """Build the packages, then copy."""
        super().run()
        if self.editable_mode:
            return
        for name in SHIPPED:
            source, copy = CHECKOUT / name, Path(self.build_lib) / "jitr_fleet" / "shipped" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copy2(source, copy)


setup(cmdclass={"build_py": BuildWithFiles})
