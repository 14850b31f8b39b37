"""How the functions' clients are made, and where their bundle is."""

from __future__ import annotations

from pathlib import Path

from botocore.config import Config

BUNDLE_ROOT = Path(__file__).parents[2]
# Spelled out, so that a newer botocore changes nothing. All attempts of one call take half a minute at most.
CLIENT_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 4}, connect_timeout=2, read_timeout=5, user_agent_extra="jitr"
)
# For the roll-out, which has minutes and nobody to deliver it again: all attempts of one call take 80 seconds at most.
PATIENT_CLIENT_CONFIG = CLIENT_CONFIG.merge(Config(retries={"mode": "standard", "max_attempts": 6}))
