"""Where things are in this checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).parents[2]
# The one instance of the command line; git-ignored.
LOCAL_STATE: Final = CHECKOUT / ".jitr" / "local"
