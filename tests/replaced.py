"""A bundle that an export replaces while a test reads it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import onnx

from trm_edge.bundle import Bundle
from trm_edge.bundle_writer import BundleWriter


def replace_bundle(folder: Path, version: str, *, task: str | None = None) -> None:
    """Put another export of the same model in a bundle's place, as ``export --force`` does.

    Args:
        folder: the bundle.
        version: written into its graph and its manifest, so that no two have the same hashes.
        task: name of its task; unchanged where None.
    """
    manifest = Bundle.open(folder).manifest
    with BundleWriter(folder, force=True) as writer:
        for name in manifest.files:
            shutil.copy(folder / name, writer.path(name))
        graph_file = writer.path("cpu/step.onnx")
        graph = onnx.load(graph_file)
        graph.producer_name = version
        onnx.save(graph, graph_file)
        writer.finish(
            replace(
                manifest,
                files=writer.records(),
                tools={"made": version},
                task=task or manifest.task,
            )
        )
