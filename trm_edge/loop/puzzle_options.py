"""Options of a single puzzle, where the puzzles of a stream are not all solved alike."""

from __future__ import annotations

from dataclasses import dataclass

from trm_edge.loop.exploration import Exploration
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.selection import Selector


@dataclass(frozen=True)
class PuzzleOptions:
    """What a feed may ask for one of its puzzles; None: as for all the others.

    Args:
        halting: when the puzzle stops, within the steps of the solver's own rule.
        exploration: the tries at the puzzle, where they are rollouts.
        selector: chooses among their answers.
    """

    halting: HaltingRule | None = None
    exploration: Exploration | None = None
    selector: Selector | None = None
