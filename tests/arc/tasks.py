"""Small tasks for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TASK: dict[str, Any] = {
    "train": [{"input": [[1, 2]], "output": [[2, 1]]}, {"input": [[3]], "output": [[3]]}],
    "test": [{"input": [[4, 5]], "output": [[5, 4]]}],
}
PAIR: dict[str, Any] = {"input": [[1]], "output": [[2]]}


def write_json(path: Path, value: Any) -> Path:
    """Write JSON, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path
