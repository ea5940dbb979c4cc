"""The error of emulated runs."""

from __future__ import annotations


class EmulationError(RuntimeError):
    """A CPU cannot be emulated here, or a command failed on it."""
