"""Ray Data's checkpoint of a run: which rows are done is read from the parts themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ray
from ray.data.checkpoint import CheckpointConfig
from ray.data.checkpoint.checkpoint_filter import IdColumnCheckpointManager
from ray.data.datasource import FilenameProvider

from trm_edge.batch.finished import FinishedRows
from trm_edge.batch.output_folder import OutputFolder
from trm_edge.batch.pending_parts import marks_folder, part_name

ID_COLUMN = "row"  # unique in any input, while ids are text


class PartsCheckpoint(IdColumnCheckpointManager):
    """Tells Ray Data to leave out the rows that the parts of a run hold.

    Ray's own manager would read the files that name the rows of each part. The parts say the same,
    and say it too of those that one process wrote.
    """

    def load_checkpoint(
        self, data_file_dir: str | None = None, data_file_filesystem: Any = None
    ) -> tuple[Any, int]:
        """Load the rows that are done.

        Args:
            data_file_dir: of the parts; the folder above that of the checkpoint is taken.
            data_file_filesystem: ignored: parts lie where files have paths.

        Returns:
            A reference to their numbers, int64 and ascending, and its bytes; (None, 0) without any.

        Raises:
            OutputError: a part cannot be read, or a row stands in two of them.
        """
        folder = OutputFolder(Path(self.checkpoint_path).parent)
        rows = FinishedRows.read(folder).rows.numbers()
        if not len(rows):
            return None, 0
        return ray.put(rows), int(rows.nbytes)


class PartNames(FilenameProvider):
    """Names parts by the run of Ray and the number of the task, the same when it is repeated."""

    def get_filename_for_task(self, write_uuid: str, task_index: int) -> str:
        """Name the part of a task.

        Args:
            write_uuid: of Ray's run.
            task_index: number of the task in it.
        """
        return part_name(write_uuid, task_index)


def checkpoint_config(folder: OutputFolder) -> CheckpointConfig:
    """Configure the checkpoint of a run.

    Args:
        folder: of the run, locked, without pending parts.

    Raises:
        OSError: the folder cannot be written.
    """
    marks = marks_folder(folder.path.resolve())
    marks.mkdir(exist_ok=True)  # without it Ray takes it that no row is done
    return CheckpointConfig(
        id_column=ID_COLUMN,
        checkpoint_path=str(marks),
        delete_checkpoint_on_success=False,
        checkpoint_manager_cls=PartsCheckpoint,
    )
