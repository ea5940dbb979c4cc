from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import torch

from tests.calibration.qat.toys import same_weights, tuned
from trm_edge.calibration.qat import loop as finetune_loop
from trm_edge.calibration.qat.deep_supervision import training_step
from trm_edge.calibration.qat.interrupts import interrupts_deferred

pytestmark = pytest.mark.filterwarnings("ignore:fine-tuning on:trm_edge.errors.CalibrationWarning")


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_waits_for_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state.pt"
    ordinary = training_step
    calls = 0

    def interrupted(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return ordinary(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(finetune_loop, "training_step", interrupted)
    # A shell starts background jobs with Ctrl-C switched off.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            tuned(state=state)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert torch.load(state, weights_only=True)["content"]["step"] == 3
    monkeypatch.undo()
    assert same_weights(tuned(state=state), tuned())


def test_another_handler_is_left_alone() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_deferred() as interrupted:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            assert not interrupted()
    finally:
        signal.signal(signal.SIGINT, before)
