"""The runner of the page keeps the step contract, whatever runs the graph."""

from __future__ import annotations

from typing import Any

from tests.page.node import run_script

# A stand-in for ONNX Runtime that counts in its carry and records its inputs.
SCRIPT = """
const { StepGraph, solve } = await load("runner.js");
const { HaltingRule } = await load("halting.js");
class Tensor {
  constructor(type, data, dims) { Object.assign(this, { type, data, dims }); }
}
const feeds = [];
const outputs = [];
const session = {
  inputMetadata: ["tokens", "puzzle_embedding", "reset", "z_H", "z_other"].map((name) => {
    return { name, type: "float32", shape: ["B", 2, 3] };
  }),
  async run(inputs) {
    feeds.push(inputs);
    const count = inputs.reset.data[0] ? 1 : inputs.z_H.data[0] + 1;
    const filled = () => Float32Array.from({ length: 6 }, () => count);
    const carry = () => new Tensor("float32", filled(), [1, 2, 3]);
    const output = {
      z_H_next: carry(),
      z_other_next: carry(),
      logits: new Tensor("float32", Float32Array.of(0, 1, 1, 0, count, -count), [1, 2, 3]),
      q_halt: new Tensor("float32", Float32Array.of(count - data.halt), [1]),
      q_continue: new Tensor("float32", Float32Array.of(-10), [1]),
    };
    outputs.push(output);
    return output;
  },
};
const ort = { Tensor };
const graph = new StepGraph(ort, session, data.model);
const steps = [];
const rule = new HaltingRule(data.model, data.mode);
try {
  for await (const step of solve(graph, data.tokens, rule, data.embedding)) steps.push(step);
} catch (error) {
  return error.message;
}
return {
  steps: steps.map(({ milliseconds, ...step }) => step),
  resets: feeds.map(({ reset }) => [reset.type, ...reset.data]),
  tokens: [feeds[0].tokens.type, feeds[0].tokens.dims, [...feeds[0].tokens.data]],
  names: Object.keys(feeds[0]).sort(),
  embedding: feeds[0].puzzle_embedding?.dims ?? null,
  isHandedOn: feeds.slice(1).every((feed, index) => {
    return feed.z_H === outputs[index].z_H_next && feed.z_other === outputs[index].z_other_next;
  }),
};
"""


def solved(**changes: Any) -> Any:
    model = {"seq_len": 2, "vocab_size": 3, "halt_max_steps": 4, "no_ACT_continue": True}
    data = {
        "model": model,
        "embedding": [0.5, 0.25],
        "tokens": [1, 2],
        "mode": "adaptive",
        "halt": 2,
    }
    return run_script(SCRIPT, {**data, **changes})


def test_carries_are_handed_on_until_the_head_is_sure() -> None:
    result = solved()
    assert [step["step"] for step in result["steps"]] == [1, 2, 3]
    assert [step["isDone"] for step in result["steps"]] == [False, False, True]
    assert [step["qHalt"] for step in result["steps"]] == [-1, 0, 1]
    assert result["steps"][-1]["halted"] is True
    assert result["steps"][-1]["tokens"] == [1, 1]  # of equal logits the first id
    assert result["resets"] == [["bool", 1], ["bool", 0], ["bool", 0]]
    assert result["isHandedOn"]
    assert result["tokens"] == ["int32", [1, 2], [1, 2]]
    assert result["embedding"] == [1, 2]


def test_every_step_is_taken_in_fixed_mode() -> None:
    result = solved(mode="fixed")
    assert [step["isDone"] for step in result["steps"]] == [False, False, False, True]


def test_the_last_step_ends_without_the_head() -> None:
    result = solved(halt=9)
    assert [step["halted"] for step in result["steps"]] == [False] * 4
    assert result["steps"][-1]["isDone"] is True


def test_a_model_without_puzzle_embeddings_gets_none() -> None:
    result = solved(embedding=None)
    assert result["embedding"] is None
    assert "puzzle_embedding" not in result["names"]


def test_foreign_tokens_are_refused() -> None:
    assert solved(tokens=[1]) == "The model takes 2 cells, but the puzzle has 1."
    for token in (3, -1, 0.5):
        message = solved(tokens=[1, token])
        assert message == f"The model knows token ids 0 to 2, but the puzzle has {token}."
