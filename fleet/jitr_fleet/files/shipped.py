"""Files that come with jitr and are no Python: those of the checkout where this is one, else those of the wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parents[1]
_CHECKOUT: Final = Path(__file__).parents[3]
# In the wheel they lie below this folder of the package, by the paths that they have in a checkout; see setup.py.
_SHIPPED: Final = _PACKAGE / "shipped"


def checkout() -> Path | None:
    """Return the checkout that this code is run from, None where it is installed."""
    return _CHECKOUT if (_CHECKOUT / "pyproject.toml").is_file() and (_CHECKOUT / "lambda" / "jitr").is_dir() else None


def shipped(path: str) -> Path:
    """Return a file or folder by its path in a checkout: `policies`, `schemas`, `docs/cookbook`, the function's lock.

    Not checked: that it is there.
    """
    return (checkout() or _SHIPPED) / path
