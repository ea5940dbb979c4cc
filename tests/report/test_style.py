from __future__ import annotations

import pytest

from trm_edge.report.style import log_axis, mark_of, plotly_text, step_axis


@pytest.mark.parametrize("values", [(1e-7, 1.0), (2.0, 3.0), (0.5,), (3e-5, 4e4)])
def test_a_logarithmic_axis_covers_its_values_with_few_ticks(values: tuple[float, ...]) -> None:
    axis = log_axis(values)
    low, high = axis["range"]
    assert 10**low < min(values) <= max(values) < 10**high
    assert 1 <= len(axis["tickvals"]) <= 6
    assert len(axis["ticktext"]) == len(axis["tickvals"])
    assert [float(text) for text in axis["ticktext"]] == pytest.approx(axis["tickvals"])


def test_a_step_axis_labels_at_most_eight_steps() -> None:
    assert step_axis(4)["tickvals"] == [1, 2, 3, 4]
    assert step_axis(16)["tickvals"] == [2, 4, 6, 8, 10, 12, 14, 16]


def test_marks_repeat_after_seven_rows() -> None:
    marks = {mark_of(index) for index in range(14)}
    assert len(marks) == 7
    assert mark_of(0) == mark_of(7)


def test_text_has_no_tags_for_plotly() -> None:
    assert plotly_text("<b> & 'x'") == "&lt;b&gt; &amp; 'x'"
