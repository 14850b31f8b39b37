"""Storms: what happens when a whole fleet connects for the first time, computed without AWS."""
