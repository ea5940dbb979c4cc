from __future__ import annotations

import torch

from trm_edge.calibration.statistics import InputStatistics


def test_channel_ranges_correlation_and_sample() -> None:
    statistics = InputStatistics(torch.Generator().manual_seed(0))
    inputs = torch.randn(40, 50, 3, generator=torch.Generator().manual_seed(1))
    for start in range(0, 40, 10):
        statistics(inputs[start : start + 10], 0)
    torch.testing.assert_close(statistics.amax, inputs.abs().amax((0, 1)))
    rows = inputs.reshape(-1, 3).double()
    torch.testing.assert_close(statistics.gram, rows.T @ rows / len(rows), atol=0.2, rtol=0)
    assert statistics.sample.shape == (4 * 16, 3)


def test_the_sample_of_inputs_is_bounded() -> None:
    statistics = InputStatistics(torch.Generator().manual_seed(0))
    for number in range(300):
        statistics(torch.full((4, 2), float(number + 1)), 0)
    assert len(statistics.sample) == 4096
    assert statistics.sample.max() == 300.0  # late tokens have replaced early ones
