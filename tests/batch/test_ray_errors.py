"""Errors of Ray in our words."""

from __future__ import annotations

import logging

import pytest

pytest.importorskip("ray.data", reason="needs the extra ray")

from ray.exceptions import ActorDiedError, RayTaskError

from trm_edge.batch.ray_errors import LostBlocks, our_message, plain_error, reason_line
from trm_edge.errors import BackendError, BundleError

EXECUTOR = logging.getLogger("ray.data._internal.execution.streaming_executor_state")


def task_error(cause: Exception, trace: str = "") -> RayTaskError:
    return RayTaskError("solve", trace, cause)  # type: ignore[no-untyped-call]


def test_the_error_of_a_worker_is_passed_on() -> None:
    cause = BundleError("the bundle is damaged.")
    assert plain_error(task_error(cause)) is cause
    wrapped = RuntimeError("user code")
    wrapped.__cause__ = cause
    assert plain_error(task_error(wrapped)) is cause


def test_an_error_of_ours_is_known_by_its_name_in_a_traceback() -> None:
    error = plain_error(RuntimeError("Traceback\n  line\ntrm_edge.errors.BundleError: damaged."))
    assert str(error) == "damaged."


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        ("trm_edge.errors.BackendError: the engine is gone.", "the engine is gone."),
        ("ValueError: no such shape", "the run with Ray has failed: ValueError: no such shape "),
    ],
)
def test_the_cause_is_told_and_not_the_advice_of_ray(raised: str, reason: str) -> None:
    text = (
        f"ray::MapWorker.submit()\n  File ray_worker.py\n{raised}\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        "ray.exceptions.UserCodeException: UDF failed to process a data block.\n"
        "To change retry attempts, configure `ray.data.DataContext.get_current()`."
    )
    assert str(plain_error(RuntimeError(text))).startswith(reason)


def test_the_line_that_says_why_is_the_last_one_or_names_an_error_of_ours() -> None:
    assert reason_line("") == ""
    assert reason_line("Traceback\n  File x\nValueError: no\n\n") == "ValueError: no"
    ours = reason_line("Traceback\n trm_edge.errors.ConfigError: too: many.\n\nSee the log.")
    assert our_message(ours) == "too: many."
    assert our_message("ValueError: no") is None


def test_another_error_says_that_the_run_goes_on() -> None:
    error = plain_error(OSError(28, "No space left on device"))
    assert isinstance(error, BackendError)
    assert "No space left on device" in str(error)
    assert "the same command goes on" in str(error)


def test_errors_of_blocks_are_collected() -> None:
    lost = LostBlocks()
    errors = [ActorDiedError(), task_error(ValueError("x"))]
    with lost.collected():
        for error in errors:
            EXECUTOR.error("An exception was raised from a task", exc_info=error)
        EXECUTOR.error("without an exception")
    EXECUTOR.error("after the block", exc_info=ValueError("y"))
    assert lost.errors == errors
