"""The trainer's dataset folder, written whole or not at all.

``train/`` and ``test/`` hold ``all__inputs.npy`` and its companions and a ``dataset.json``; beside
them are ``identifiers.json`` and, for ARC, ``test_puzzles.json``. The JSON is spelled as Python's
own module spells it, which is what the published builders use.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from trm_edge.folder_writer import FolderWriter
from trm_edge.identifiers import IDENTIFIERS_NAME

SPLITS = ("train", "test")
TEST_PUZZLES_NAME = "test_puzzles.json"
_METADATA_NAME = "dataset.json"


@dataclass(frozen=True)
class SplitLayout:
    """Which rows of a split belong together.

    Args:
        vocab_size: V, token ids.
        seq_len: L, tokens of a row.
        identifiers: in the whole dataset, the blank one included.
        puzzle_identifiers: (puzzles,) identifier of each augmented puzzle.
        puzzle_starts: (puzzles + 1,) first row of each augmented puzzle, and the number of rows.
        group_starts: (groups + 1,) first augmented puzzle of each puzzle, and their number.
        total_puzzles: what ``dataset.json`` says; Sudoku's and maze's builders count groups.
        mean_puzzle_examples: what ``dataset.json`` says.
    """

    vocab_size: int
    seq_len: int
    identifiers: int
    puzzle_identifiers: NDArray[np.int32]
    puzzle_starts: NDArray[np.int32]
    group_starts: NDArray[np.int32]
    total_puzzles: int
    mean_puzzle_examples: float

    @property
    def rows(self) -> int:
        """Rows of the split."""
        return int(self.puzzle_starts[-1])

    def metadata(self) -> dict[str, Any]:
        """Return what ``dataset.json`` holds."""
        return {
            "pad_id": 0,
            "ignore_label_id": 0,
            "blank_identifier_id": 0,
            "vocab_size": self.vocab_size,
            "seq_len": self.seq_len,
            "num_puzzle_identifiers": self.identifiers,
            "total_groups": len(self.group_starts) - 1,
            "mean_puzzle_examples": self.mean_puzzle_examples,
            "total_puzzles": self.total_puzzles,
            "sets": ["all"],
        }


class DatasetWriter(FolderWriter):
    """Collects a dataset's files in a hidden folder and puts it in place at the end.

    Args:
        output: folder that will be the dataset.
        force: replace a dataset or an empty folder that is there.

    Raises:
        OutputExistsError: on entry: the output exists and ``force`` is not set, or it is not a
            dataset.
        OutputError: on entry: nothing can be written beside the output, or another process is
            writing to it; on exit: the disk is full or read-only.
    """

    @staticmethod
    def is_replaceable(folder: Path) -> bool:
        """Tell whether a folder is a dataset.

        Args:
            folder: that is there; neither empty nor a link.
        """
        return any((folder / split / _METADATA_NAME).is_file() for split in SPLITS)

    @staticmethod
    def noun() -> str:
        """Return what the output is, with its article."""
        return "a dataset folder"

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file.

        Args:
            name: path of the file inside the folder.
            value: of dicts, lists, strings and numbers.
        """
        _write_json(self, name, value)

    def write_identifiers(self, names: list[str]) -> None:
        """Write ``identifiers.json``.

        Args:
            names: the one of identifier n at place n.
        """
        self.write_json(IDENTIFIERS_NAME, names)

    def split(self, name: str, layout: SplitLayout, dtype: type[np.integer]) -> SplitRows:
        """Write everything of a split but its rows, and open the files of those.

        Args:
            name: ``train`` or ``test``.
            layout: of its rows.
            dtype: of the rows' tokens.

        Returns:
            A context manager that takes the rows.
        """
        write_layout(self, name, layout)
        return SplitRows(self.path(f"{name}/all__inputs.npy").parent, layout, dtype)


def write_layout(writer: FolderWriter, name: str, layout: SplitLayout) -> None:
    """Write everything of a split but its rows.

    Args:
        writer: of the folder that holds the split.
        name: ``train`` or ``test``.
        layout: of its rows.
    """
    arrays = {
        "puzzle_identifiers": layout.puzzle_identifiers,
        "puzzle_indices": layout.puzzle_starts,
        "group_indices": layout.group_starts,
    }
    for array_name, array in arrays.items():
        np.save(writer.path(f"{name}/all__{array_name}.npy"), array.astype(np.int32))
    _write_json(writer, f"{name}/{_METADATA_NAME}", layout.metadata())


def _write_json(writer: FolderWriter, name: str, value: Any) -> None:
    """As Python's own module spells it, which is what the published builders use."""
    writer.path(name).write_text(json.dumps(value), encoding="utf-8")


class SplitRows:
    """The inputs and labels of a split, written as they come; a context manager.

    Args:
        folder: of the split.
        layout: says how many rows there will be, and how long they are.
        dtype: of the tokens.
    """

    def __init__(self, folder: Path, layout: SplitLayout, dtype: type[np.integer]) -> None:
        self._layout = layout
        self._files = []
        shape = (layout.rows, layout.seq_len)
        descr = npy_format.dtype_to_descr(np.dtype(dtype))
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        self._row_bytes = layout.seq_len * np.dtype(dtype).itemsize
        self._written = 0
        for name in ("inputs", "labels"):
            file = (folder / f"all__{name}.npy").open("wb")
            self._files.append(file)
            npy_format.write_array_header_1_0(file, header)

    def __enter__(self) -> SplitRows:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._files:
            file.close()
        if error is None and self._written != self._layout.rows * self._row_bytes:
            rows = self._written / self._row_bytes
            raise ValueError(f"{self._layout.rows} rows were announced, but {rows} written")

    def write(self, inputs: bytes, labels: bytes) -> None:
        """Append rows.

        Args:
            inputs: the rows' tokens, in the type of the split.
            labels: as many tokens.
        """
        self._files[0].write(inputs)
        self._files[1].write(labels)
        self._written += len(inputs)
