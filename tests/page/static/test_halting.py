"""The halting rule of the page against that of the Python runner."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.page.node import run_script
from trm_edge.loop.halting import HaltingMode, HaltingRule, confidence

SCRIPT = """
const { HaltingRule, confidence } = await load("halting.js");
const rule = new HaltingRule(data.model, data.mode);
return data.logits.map(([halt, next], index) => [rule.isDone(data.steps[index], halt, next),
  rule.wantsToStop(halt, next), confidence(halt)]);
"""


@pytest.mark.parametrize("no_continue", [True, False])
@pytest.mark.parametrize("mode", ["adaptive", "fixed"])
def test_the_rule_is_that_of_the_runner(no_continue: bool, mode: HaltingMode) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (200, 2)).astype(np.float32)
    logits[:3] = [[0, 0], [1, 1], [-1, -1]]  # no strict winner
    steps = rng.integers(1, 6, 200).astype(np.int32)
    model = {"no_ACT_continue": no_continue, "halt_max_steps": 5}
    data = {"model": model, "mode": mode, "logits": logits.tolist(), "steps": steps.tolist()}
    results: list[list[Any]] = run_script(SCRIPT, data)
    rule = HaltingRule(mode, compares_continue=not no_continue, max_steps=5)
    done, wants, sure = zip(*results, strict=True)
    assert list(done) == rule.halted(steps, logits[:, 0], logits[:, 1]).tolist()
    assert list(wants) == rule.wants_to_stop(logits[:, 0], logits[:, 1]).tolist()
    assert sure == pytest.approx(confidence(logits[:, 0]))
    assert len(set(done)) == 2
