"""A bundle as a model repository of Triton Inference Server."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from trm_edge.bundle import Bundle
from trm_edge.errors import OutputExistsError
from trm_edge.targets.profiles import load_profile
from trm_edge.triton import BUNDLE

_MODEL = """\
# Written by trm-edge export --triton; the loop is trm_edge.triton's.
from trm_edge.triton import TritonPythonModel

__all__ = ["TritonPythonModel"]
"""
_CONFIG = """\
# Written by trm-edge export --triton.
name: "{name}"
backend: "python"
max_batch_size: {most}
input [
  {{ name: "tokens" data_type: TYPE_INT32 dims: [ {length} ] }},
  {{ name: "identifier" data_type: TYPE_INT32 dims: [ 1 ] optional: true }}
]
output [
  {{ name: "answer" data_type: TYPE_INT32 dims: [ {length} ] }},
  {{ name: "steps" data_type: TYPE_INT32 dims: [ 1 ] }},
  {{ name: "confidence" data_type: TYPE_FP32 dims: [ 1 ] }}
]
# Puzzles that arrive within this time share the slots of one loop.
dynamic_batching {{ max_queue_delay_microseconds: 1000 }}
instance_group [ {{ count: 1 kind: {kind} }} ]
parameters {{ key: "target" value {{ string_value: "{target}" }} }}
parameters {{ key: "slots" value {{ string_value: "{slots}" }} }}
parameters {{ key: "threads" value {{ string_value: "0" }} }}
"""


def write_triton_repository(
    bundle: Bundle, folder: Path, target: str | None = None, *, force: bool = False
) -> Path:
    """Add a model to a model repository, whole or not at all.

    Args:
        folder: of the repository; made where it is missing, other models in it are left alone.
        target: which of the bundle's targets to serve.

    Returns:
        The model's folder.

    Raises:
        OutputExistsError: the repository has a model of that name.
    """
    name, _ = bundle.target(target)
    profile = load_profile(name)
    model = folder / f"trm_{bundle.manifest.task}"
    check_triton_output(folder, bundle.manifest.task, force=force)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{model.name}.", dir=folder) as temporary:
        made = Path(temporary) / model.name
        version = made / "1"
        version.mkdir(parents=True)
        config = _CONFIG.format(
            name=model.name,
            most=profile.batch[2],
            length=bundle.config.seq_len,
            kind="KIND_CPU" if profile.engine == "onnxruntime" else "KIND_GPU",
            target=name,
            slots=profile.batch[2],
        )
        (made / "config.pbtxt").write_text(config, encoding="utf-8")
        (version / "model.py").write_text(_MODEL, encoding="utf-8")
        shutil.copytree(bundle.path, version / BUNDLE)
        if model.exists():
            model.rename(Path(temporary) / "previous")
        made.rename(model)
    return model


def check_triton_output(folder: Path, task: str, *, force: bool) -> None:
    """Refuse to replace a model, unless asked to.

    Raises:
        OutputExistsError: says what is there.
    """
    model = folder / f"trm_{task}"
    if model.exists() and not force:
        raise OutputExistsError(
            f"{model} exists already. Pass --force to replace it, or another --triton."
        )
    if model.exists() and not (model / "1" / BUNDLE).is_dir():
        raise OutputExistsError(
            f"{model} was not written by trm-edge, so --force does not replace it. Pass another "
            "--triton."
        )
