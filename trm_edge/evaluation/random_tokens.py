"""Puzzles of random tokens: they show that two graphs agree, and nothing about accuracy."""

from __future__ import annotations

import numpy as np

from trm_edge.config import ModelConfig
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.base import Entry

RANDOM_PUZZLES = 4  # held out where no puzzles of the task are known


def random_entries(config: ModelConfig, count: int) -> list[Entry]:
    """Draw puzzles of uniformly random token ids from 1 up, the same at every call.

    Args:
        config: the model's configuration.
        count: number of puzzles.
    """
    rng = np.random.default_rng(0)
    low = 1 if config.vocab_size > 1 else 0
    tokens = rng.integers(low, config.vocab_size, (count, config.seq_len), dtype=np.int32)
    identifiers = rng.integers(0, config.num_puzzle_identifiers, count)
    entries = []
    for index in range(count):
        puzzle = Puzzle(tokens[index], int(identifiers[index]))
        entries.append(Entry(puzzle, line=index + 1))
    return entries


def are_random(vectors: ParityVectors, config: ModelConfig) -> bool:
    """Tell whether a bundle's held-out puzzles are random tokens.

    Args:
        vectors: of the bundle.
        config: the model's configuration.
    """
    if vectors.labelled or len(vectors) > RANDOM_PUZZLES:
        return False
    drawn = random_entries(config, RANDOM_PUZZLES)
    for tokens, entry in zip(vectors.tokens, drawn, strict=False):
        if not np.array_equal(tokens, entry.puzzle.tokens):
            return False
    return True
