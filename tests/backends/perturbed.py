"""Puzzles with starts and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trm_edge.config import ModelConfig
from trm_edge.noise import Noise, noise_key, random_start
from trm_edge.puzzle import Puzzle


def perturbed(puzzles: Sequence[Puzzle], config: ModelConfig) -> list[Puzzle]:
    """Give every second puzzle noise, and every third a start.

    Args:
        puzzles: the puzzles.
        config: the model.
    """
    shape = (config.carry_len, config.hidden_size)
    states = config.recursion.states
    changed = []
    for number, puzzle in enumerate(puzzles):
        key = noise_key(puzzle.tokens, puzzle.identifier, number)
        if number % 2:
            puzzle = replace(puzzle, noise=Noise(0.3, key, states[:1]))
        if number % 3 == 0:
            puzzle = replace(puzzle, start=random_start(key, 1.0, shape, states))
        changed.append(puzzle)
    return changed
