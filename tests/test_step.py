"""The step contract: names, shapes and types of a step graph's tensors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.toys import BASE
from trm_edge.step import CarryType, TensorSpec, describe_mismatch, step_inputs, step_outputs


@pytest.mark.parametrize("carry", ["float32", "float16"])
def test_the_contract(carry: CarryType) -> None:
    assert [str(spec) for spec in step_inputs(BASE, carry)] == [
        "tokens (B, 9) int32",
        f"puzzle_embedding (B, 32) {carry}",
        "reset (B) bool",
        f"z_H (B, 11, 32) {carry}",
        f"z_L (B, 11, 32) {carry}",
    ]
    assert [str(spec) for spec in step_outputs(BASE, carry)] == [
        f"z_H_next (B, 11, 32) {carry}",
        f"z_L_next (B, 11, 32) {carry}",
        "logits (B, 9, 7) float32",
        "q_halt (B) float32",
        "q_continue (B) float32",
    ]


def test_inputs_for_noise_come_last() -> None:
    assert [str(spec) for spec in step_inputs(BASE, "float16", noise=True)] == [
        *map(str, step_inputs(BASE, "float16")),
        "noise_window (B) int32",
        "noise_sigma (B) float32",
    ]


def test_a_model_without_a_table_has_no_puzzle_embedding() -> None:
    config = replace(BASE, puzzle_emb_ndim=0, puzzle_emb_len=0)
    names = [spec.name for spec in step_inputs(config)]
    assert names == ["tokens", "reset", "z_H", "z_L"]


def test_a_mismatch_shows_both_lists() -> None:
    inputs = step_inputs(BASE)
    assert describe_mismatch(inputs, list(inputs)) is None
    expected = (TensorSpec("x", (None, 2), "int32"),)
    assert describe_mismatch(expected, ()) == "expected x (B, 2) int32, but found none"
    assert describe_mismatch(expected, (TensorSpec("y", (3,), "bool"),)) == (
        "expected x (B, 2) int32, but found y (3) bool"
    )
