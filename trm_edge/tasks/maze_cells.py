"""The token ids of mazes, and the characters that they are written with."""

from __future__ import annotations

from trm_edge.tasks.blocks import CellTable, CellText

PAD, WALL, OPEN, START, GOAL, WAY = range(6)
CHARACTERS = "?#.SGo"  # by id; there is no text for padding
IDS = {" ": OPEN, "#": WALL, ".": OPEN, "S": START, "G": GOAL, "o": WAY}
PUZZLE_CHARACTERS = "#. SG"
ANSWER_CHARACTERS = "#. SGo"
WRITTEN = CellText(CHARACTERS)
PUZZLE_TABLE = CellTable({character: IDS[character] for character in PUZZLE_CHARACTERS})
ANSWER_TABLE = CellTable({character: IDS[character] for character in ANSWER_CHARACTERS})
