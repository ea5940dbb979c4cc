"""Add targets to a bundle that exists: same checkpoint, same calibration, nothing else changes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import cast, get_args

from trm_edge.bundle import CALIBRATION, MANIFEST, Bundle
from trm_edge.bundle_writer import BundleWriter
from trm_edge.calibration.cache import read_calibration
from trm_edge.calibration.recipe import STATIC_ACTIVATIONS
from trm_edge.errors import BundleError, CalibrationError, CheckpointError, OutputExistsError
from trm_edge.export.checkpoint import Checkpoint
from trm_edge.export.row_selection import with_row_count
from trm_edge.manifest import FloatLayer, Manifest, TargetRecord
from trm_edge.profile import Precision, TargetProfile
from trm_edge.progress import Track, silent
from trm_edge.targets.limit_warnings import warn_where_limits_break
from trm_edge.targets.reference_graph import write_reference_graph
from trm_edge.targets.request import qtype_of, require_noise_targets, require_targets
from trm_edge.targets.simulation import TargetSimulator
from trm_edge.targets.target_graphs import GraphInputs
from trm_edge.targets.target_record import HEADS, step_path, write_target


def add_targets(
    bundle: Bundle,
    checkpoint: Checkpoint,
    profiles: Sequence[TargetProfile],
    *,
    noise: bool = False,
    force: bool = False,
    track: Track = silent,
) -> Bundle:
    """Add targets to a bundle, all or none; every file that it holds stays as it is.

    The graphs are those of an export for the old and the new targets together.

    Args:
        bundle: the opened bundle, which is replaced as a whole.
        checkpoint: the checkpoint that the bundle was made from.
        profiles: the targets to add.
        noise: give the graphs of GPU targets inputs for noise.
        force: replace targets that the bundle has already, and what was built from them.
        track: reports long steps.

    Returns:
        The bundle with the new targets.

    Raises:
        BundleError: the bundle's targets do not share one precision.
        CalibrationError: the bundle was fine-tuned, or its calibration lacks what a target needs.
        CheckpointError: the checkpoint is another one.
        ConfigError: a target does not have the bundle's precision, two share a name, or none is a
            GPU whose graph could get inputs for noise.
        ExportError: a graph does not compute what the checkpoint computes, or cannot be made.
        OutputError: the bundle's folder cannot be written.
        OutputExistsError: the bundle has a target of that name, and ``force`` is not set.
    """
    precision = bundle_precision(bundle)
    require_targets(profiles, precision)
    if noise:
        require_noise_targets(profiles)
    _check_names(bundle, profiles, force=force)
    _check_checkpoint(bundle, checkpoint)
    bundle.verify(track)  # what is copied gets new hashes
    checkpoint = with_row_count(checkpoint, bundle.config.num_puzzle_identifiers)
    _check_calibration(bundle, precision, profiles)
    float_layers = _float_layers(bundle)
    graph_inputs = _graph_inputs(bundle, checkpoint, precision, float_layers)
    graph_inputs = replace(graph_inputs, noise=noise)
    vectors = bundle.parity()
    table = bundle.puzzle_embeddings()
    simulator = TargetSimulator(graph_inputs, table, vectors, track)
    with BundleWriter(bundle.path, force=True) as writer:
        reference = writer.path("reference.onnx")
        write_reference_graph(checkpoint, table, reference, vectors.puzzles(), track)
        reference.unlink()
        _copy(bundle, writer, profiles)
        targets = dict(bundle.manifest.targets)
        for profile in profiles:
            targets[profile.name] = write_target(
                writer, graph_inputs, profile, float_layers, simulator
            )
        if graph_inputs.qtype is not None:
            warn_where_limits_break(profiles, precision, simulator, bundle.manifest.limits)
        return writer.finish(_manifest(bundle.manifest, targets, profiles, writer))


def bundle_precision(bundle: Bundle) -> Precision:
    """The precision that all targets of a bundle share.

    Args:
        bundle: the opened bundle.

    Raises:
        BundleError: they do not share one, or it is unknown.
    """
    precisions = sorted({target.precision for target in bundle.manifest.targets.values()})
    if len(precisions) != 1 or precisions[0] not in get_args(Precision):
        raise BundleError(
            f"{bundle.path} must have one precision for all targets to add another, but has "
            f"{', '.join(precisions)}. Export again with every --target."
        )
    return cast(Precision, precisions[0])


def _check_names(bundle: Bundle, profiles: Sequence[TargetProfile], *, force: bool) -> None:
    present = [profile.name for profile in profiles if profile.name in bundle.manifest.targets]
    if present and not force:
        raise OutputExistsError(
            f"{bundle.path} has the target {', '.join(present)} already. Pass --force to replace "
            "it, or another --target."
        )


def _check_checkpoint(bundle: Bundle, checkpoint: Checkpoint) -> None:
    record = bundle.manifest.checkpoint
    if checkpoint.sha256 != record.sha256:
        raise CheckpointError(
            f"{bundle.path} was made from another checkpoint: {record.name} with sha256 "
            f"{record.sha256[:12]}…, but {checkpoint.path} has {checkpoint.sha256[:12]}…. Pass "
            "the checkpoint that the bundle was made from."
        )
    rows = bundle.manifest.rows
    expected = bundle.config
    if rows is not None:  # the bundle may have those of some tasks alone
        expected = replace(expected, num_puzzle_identifiers=rows.checkpoint_rows)
    if checkpoint.config != expected:
        raise CheckpointError(
            f"{bundle.path} was exported under another configuration than {checkpoint.path} has "
            "now. Pass the all_config.yaml and dataset.json of that export (--config, --dataset)."
        )


def _check_calibration(
    bundle: Bundle, precision: Precision, profiles: Sequence[TargetProfile]
) -> None:
    if qtype_of(precision) is None:
        return
    names = list(bundle.manifest.targets)
    names += [profile.name for profile in profiles if profile.name not in names]
    options = " ".join(f"--target {name}" for name in names)
    remedy = f"Export again for all targets, with {options}."
    record = bundle.calibration()
    if record is None:
        raise CalibrationError(f"{bundle.path} has no {CALIBRATION} to reuse. {remedy}")
    if record.finetune is not None:
        raise CalibrationError(
            f"{bundle.path} was fine-tuned (--qat) and does not hold the fine-tuned weights, so "
            f"no target can be added to it. {remedy}"
        )
    static = [profile.name for profile in profiles if profile.int8_ranges == "per_layer"]
    activations = record.recipe.get("activations")
    if precision == "int8" and static and activations not in STATIC_ACTIVATIONS:
        raise CalibrationError(
            f"{', '.join(static)} needs per-tensor ranges (static) of every layer, but "
            f"{bundle.path} was calibrated with activations {activations!r}, for targets that "
            f"round per token. {remedy}"
        )


def _float_layers(bundle: Bundle) -> tuple[FloatLayer, ...]:
    """Layers that stay in float; all targets of an export have the same."""
    target = next(iter(bundle.manifest.targets.values()))
    return target.float_layers


def _graph_inputs(
    bundle: Bundle,
    checkpoint: Checkpoint,
    precision: Precision,
    float_layers: Sequence[FloatLayer],
) -> GraphInputs:
    qtype = qtype_of(precision)
    if qtype is None:
        return GraphInputs(checkpoint.model, precision, None, {})
    path = bundle.path / CALIBRATION
    saved = read_calibration(path, checkpoint.model, checkpoint.sha256, qtype)
    layers = dict(saved.calibration.layers)
    for float_layer in float_layers:
        if float_layer.layer not in HEADS:  # heads are never calibrated
            layers.pop(float_layer.layer, None)
    return GraphInputs(saved.calibration.model, precision, qtype, layers)


def _copy(bundle: Bundle, writer: BundleWriter, profiles: Sequence[TargetProfile]) -> None:
    """Copy everything but the manifest and the folders of targets that are replaced.

    Engines that were built beside the graphs are copied, too.
    """
    shutil.copytree(bundle.path, writer.folder, symlinks=True, dirs_exist_ok=True)
    (writer.folder / MANIFEST).unlink()
    for profile in profiles:
        replaced = bundle.manifest.targets.get(profile.name)
        if replaced is not None:
            shutil.rmtree(writer.folder / PurePosixPath(replaced.step).parts[0])


def _manifest(
    manifest: Manifest,
    targets: dict[str, TargetRecord],
    profiles: Sequence[TargetProfile],
    writer: BundleWriter,
) -> Manifest:
    """The old manifest with the new targets; engines are not among a bundle's hashed files."""
    records = writer.records()
    files = {name: records[name] for name in manifest.files if name in records}
    for profile in profiles:
        path = step_path(profile)
        files[path] = records[path]
    return replace(manifest, targets=targets, files=files)
