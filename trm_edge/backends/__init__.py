"""Backends run ACT steps: one module each, imported on first use; ``base`` is their interface."""
