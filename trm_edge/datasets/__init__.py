"""Writes the published trainer's dataset folders, of which :mod:`trm_edge.tasks.dataset` reads."""
