from __future__ import annotations

import numpy as np

from trm_edge.backends.environment import Environment
from trm_edge.requirements import package_version


def test_versions_of_packages() -> None:
    assert package_version("numpy") == np.__version__
    assert package_version("no-such-package") is None


def test_the_default_is_this_machine() -> None:
    environment = Environment()
    assert "CPUExecutionProvider" in environment.providers()
    state = environment.probe_driver()
    assert bool(state.gpus) != bool(state.problem)
