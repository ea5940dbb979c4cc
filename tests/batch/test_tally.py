from __future__ import annotations

import pyarrow as pa

from trm_edge.batch.tally import Tally


def test_rows_are_counted_by_what_became_of_them() -> None:
    answers = pa.table(
        {
            "outcome": ["answered", "answered", "unsolved", "failed", "answered"],
            "valid": [True, False, False, None, None],
            "correct": [True, False, False, None, None],
        }
    )
    tally = Tally()
    tally.add(answers)
    assert tally == Tally(rows=5, failed=1, withheld=1, judged=2, valid=1, known=3, correct=1)
    tally.add(answers, sign=-1)
    assert tally == Tally()
