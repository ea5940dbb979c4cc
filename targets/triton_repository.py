"""Write a bundle as a model of a Triton Inference Server model repository."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from trm_edge.bundle import Bundle
from trm_edge.errors import OutputError, OutputExistsError
from trm_edge.files import check_writable, error_reason
from trm_edge.folder_swap import install
from trm_edge.interrupts import DeferredSignals
from trm_edge.profile import TargetProfile
from trm_edge.staging import Staged, stage_folder
from trm_edge.targets.profiles import load_profile
from trm_edge.triton import BUNDLE

_CONFIG_NAME = "config.pbtxt"
_VERSION = "1"
_MODEL = """\
# Written by trm-edge export --triton; the halting loop is in trm_edge.triton.
from trm_edge.triton import TritonPythonModel

__all__ = ["TritonPythonModel"]
"""
_CONFIG = """\
# Written by trm-edge export --triton.
name: "{name}"
backend: "python"
max_batch_size: {slots}
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
instance_group [ {{ count: 1 kind: {instance_kind} }} ]
parameters {{ key: "target" value {{ string_value: "{target}" }} }}
parameters {{ key: "slots" value {{ string_value: "{slots}" }} }}
parameters {{ key: "threads" value {{ string_value: "0" }} }}
"""


def write_triton_repository(
    bundle: Bundle, folder: Path, target: str | None = None, *, force: bool = False
) -> Path:
    """Add a model to a model repository, whole or not at all.

    Args:
        bundle: the bundle to serve, which is copied.
        folder: of the repository; created where it is missing, its other models stay as they are.
        target: name of the target to serve; by default as in ``Bundle.target``.
        force: replace a model of the same name that trm-edge wrote.

    Returns:
        The model's folder.

    Raises:
        BundleError: the bundle has no such target, or has several and none is named.
        ConfigError: the bundle does not hold the target's profile, and none is bundled.
        OutputError: the repository cannot be written.
        OutputExistsError: the repository has a model of that name.
    """
    name, record = bundle.target(target)
    profile = record.profile or load_profile(name)
    check_triton_output(folder, bundle.manifest.task, force=force)
    model = _model_folder(folder, bundle.manifest.task)
    try:
        _add_model(folder, bundle, name, profile, force=force)
    except OSError as error:
        raise OutputError(
            f"cannot write {model}: {error_reason(error)}. Choose another --triton."
        ) from error
    return model


def _add_model(
    folder: Path, bundle: Bundle, target: str, profile: TargetProfile, *, force: bool
) -> None:
    repository = folder.resolve()
    repository.mkdir(parents=True, exist_ok=True)
    task = bundle.manifest.task
    place = _model_folder(repository, task)
    staged: Staged | None = None
    try:
        with DeferredSignals():
            staged, _ = stage_folder(place, _staging_parent(repository))
        _write_model(staged.path, place.name, bundle, target, profile)
        with DeferredSignals():
            install(staged.path, place, lambda: check_triton_output(repository, task, force=force))
    finally:
        if staged is not None:
            with DeferredSignals():
                staged.remove()


def _staging_parent(repository: Path) -> Path:
    """Folder to prepare a model in: Triton takes every folder of a repository for a model.

    Beside the repository where that is the same file system, else inside it.
    """
    parent = repository.parent
    same = parent.stat().st_dev == repository.stat().st_dev
    return parent if same and os.access(parent, os.W_OK) else repository


def check_triton_output(folder: Path, task: str, *, force: bool) -> None:
    """Refuse a model that cannot be written, before any work is done for it.

    Args:
        folder: of the repository.
        task: name of the bundle's task, which names the model.
        force: replace a model of the same name that trm-edge wrote.

    Raises:
        OutputError: the repository cannot be written.
        OutputExistsError: the model exists and is not to be replaced.
    """
    model = _model_folder(folder, task)
    if model.exists() and not force:
        raise OutputExistsError(
            f"{model} exists already. Pass --force to replace it, or another --triton."
        )
    if model.exists() and not (model / _VERSION / BUNDLE).is_dir():
        raise OutputExistsError(
            f"{model} was not written by trm-edge, so --force does not replace it. Pass another "
            "--triton."
        )
    check_writable(model / _CONFIG_NAME)


def _model_folder(folder: Path, task: str) -> Path:
    return folder / f"trm_{task}"


def _write_model(
    folder: Path, name: str, bundle: Bundle, target: str, profile: TargetProfile
) -> None:
    version = folder / _VERSION
    version.mkdir(parents=True)
    instance_kind = "KIND_CPU" if profile.engine == "onnxruntime" else "KIND_GPU"
    _, _, most_slots = profile.batch
    config = _CONFIG.format(
        name=name,
        slots=most_slots,
        length=bundle.config.seq_len,
        instance_kind=instance_kind,
        target=target,
    )
    (folder / _CONFIG_NAME).write_text(config, encoding="utf-8")
    (version / "model.py").write_text(_MODEL, encoding="utf-8")
    shutil.copytree(bundle.path, version / BUNDLE)
