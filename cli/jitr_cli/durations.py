"""Durations and arrivals as people write and read them."""

from __future__ import annotations

import math
import re

from jitr_fleet.storms.arrivals import Arrival

_UNITS = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = r"(?P<number>\d+(\.\d+)?) ?(?P<unit>s|min|m|h|d)"
_RATE = r"(?P<rate>\d+(\.\d+)?)(/s)?"
ALL_AT_ONCE = "all-at-once"
# A power cut that ends does not end in the same moment everywhere.
_AT_ONCE_SECONDS = 1.0


def read_arrival(text: str, devices: int) -> Arrival:
    """Read `all-at-once`, `over 2h` or `poisson 5/s`; raises ValueError for anything else."""
    words = text.strip().lower().replace(":", " ")
    if words == ALL_AT_ONCE:
        return Arrival(devices=devices, over=_AT_ONCE_SECONDS)
    if found := re.fullmatch(rf"over +{_DURATION}", words):
        seconds = float(found["number"]) * _UNITS[found["unit"]]
    elif found := re.fullmatch(rf"poisson +{_RATE}", words):
        rate = float(found["rate"])
        seconds = devices / rate if rate else 0.0
    else:
        raise ValueError(f"{text!r} is none of: all-at-once, over 2h (s, min, h, d), poisson 5/s")
    if not 0 < seconds < math.inf:
        raise ValueError(f"{text!r} never begins: a duration or rate above zero is needed")
    return Arrival(devices=devices, over=seconds, poisson=words.startswith("poisson"))


def spoken(seconds: float) -> str:
    """Return a duration in its two largest units."""
    if not math.isfinite(seconds):
        return "longer than simulated"
    whole = round(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{seconds:.0f} s"
