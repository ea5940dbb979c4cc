"""Write the JSON Schemas of all registered records and files to ``trm_edge/schemas``.

    python tools/make_schemas.py

Run it after changing a record's dataclass or its format.
"""

from __future__ import annotations

from pathlib import Path

from trm_edge.files import write_text
from trm_edge.schemas import PLAIN_FILES, RECORDS, encode_schema, schema_file_name

FOLDER = Path(__file__).parents[1] / "trm_edge" / "schemas"


def main() -> None:
    """Write the files and delete those of formats that are no longer written."""
    current = set()
    for name in (*RECORDS, *PLAIN_FILES):
        path = FOLDER / schema_file_name(name)
        write_text(path, encode_schema(name))
        current.add(path)
    for path in FOLDER.glob("*.json"):
        if path not in current:
            path.unlink()


if __name__ == "__main__":
    main()
