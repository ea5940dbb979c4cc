"""A replica refuses a machine that would answer differently."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="needs pip install 'trm-edge[serve]'")
pytest.importorskip("prometheus_client", reason="needs pip install 'trm-edge[serve]'")

from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError, ConfigError
from trm_edge.serve.limits import Limits
from trm_edge.serve.ray_replica import Replica, describe_replica, replica_name
from trm_edge.serve.replica_options import ReplicaOptions


def options_of(bundle: Path, target: str | None = None) -> ReplicaOptions:
    return ReplicaOptions.of(
        Bundle.open(bundle), target, slots=3, threads=1, max_steps=2, limits=Limits(queue=300)
    )


def test_it_opens_what_the_server_was_started_with(toy_bundle: Path) -> None:
    options = options_of(toy_bundle)
    served = describe_replica(options)
    assert (served.slots, served.max_steps, served.max_waiting) == (3, 2, 300)
    assert served.manifest_sha256 == options.manifest_sha256
    assert describe_replica(replace(options, engine=served.engine)) == served


def test_another_engine_is_refused(toy_bundle: Path) -> None:
    options = replace(options_of(toy_bundle), engine="TensorRT 10.3, NVIDIA L4")
    with pytest.raises(ConfigError, match=r"would solve with ONNX Runtime .*with TensorRT 10\.3"):
        Replica(options)


def test_another_bundle_is_refused(toy_bundle: Path) -> None:
    options = replace(options_of(toy_bundle), manifest_sha256="0" * 64)
    with pytest.raises(BundleError, match="has another bundle at"):
        Replica(options)


def test_another_version_is_refused(toy_bundle: Path) -> None:
    options = replace(options_of(toy_bundle), version="0.0.1")
    with pytest.raises(ConfigError, match=r"the server was started with 0\.0\.1"):
        Replica(options)


def test_a_machine_without_the_bundle(toy_bundle: Path, tmp_path: Path) -> None:
    options = replace(options_of(toy_bundle), bundle=tmp_path / "nowhere")
    with pytest.raises(BundleError, match="nowhere"):
        Replica(options)


def test_processes_have_names() -> None:
    host, _, process = replica_name().rpartition(":")
    assert host
    assert process.isdigit()
