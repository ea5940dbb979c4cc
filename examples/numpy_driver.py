"""Solve Sudokus with numpy and ONNX Runtime alone: docs/contract.md as a program.

python examples/numpy_driver.py my-bundle cpu < puzzles.txt     # 81 characters a line, "." is blank
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

bundle = Path(sys.argv[1])
manifest = json.loads((bundle / "manifest.json").read_text())
model = manifest["model"]
graph = str(bundle / manifest["targets"][sys.argv[2]]["step"])
session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
inputs = {tensor.name: tensor for tensor in session.get_inputs()}
outputs = [tensor.name for tensor in session.get_outputs()]
carries = [name for name in inputs if name not in ("tokens", "puzzle_embedding", "reset")]
float_type = np.float16 if inputs[carries[0]].type == "tensor(float16)" else np.float32

for line in sys.stdin:
    tokens = [1 if character == "." else int(character) + 1 for character in line.strip()]
    feeds = {"tokens": np.array([tokens], np.int32)}
    if "puzzle_embedding" in inputs:
        table = np.load(bundle / "puzzle_embeddings.npy", mmap_mode="r")
        feeds["puzzle_embedding"] = table[:1].astype(float_type)
    for name in carries:  # ignored in the first step, because reset is set
        feeds[name] = np.zeros((1, *inputs[name].shape[1:]), float_type)
    for step in range(model["halt_max_steps"]):
        feeds["reset"] = np.array([step == 0])
        results = dict(zip(outputs, session.run(outputs, feeds), strict=True))
        for name in carries:
            feeds[name] = results[f"{name}_next"]
        limit = 0 if model["no_ACT_continue"] else results["q_continue"][0]
        if results["q_halt"][0] > limit:
            break
    answer = results["logits"][0].argmax(-1) - 1
    print("".join(map(str, answer)), step + 1, flush=True)
