"""ONNX Runtime Web: the files of a site that run its step graph, from npm or from a folder.

It is an npm package, which pip cannot bring along. npm fetches it, since npm knows the registry and
the proxy that this machine is set up for; what arrives is checked against a pinned hash, and two of
its files are kept in the cache. Without a network, ``--runtime`` takes the package from a disk.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trm_edge.errors import BackendError
from trm_edge.files import error_reason, write_bytes

logger = logging.getLogger(__name__)

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
# Of the archive, as the registry states it; and of the two files in it.
INTEGRITY = (
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZ"
    "ClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
# The smallest build that has every operator of a CPU target: no WebGPU, no WebGL, no WebNN.
SCRIPT = "ort.wasm.bundle.min.mjs"
BINARY = "ort-wasm-simd-threaded.wasm"
SHA256 = {
    SCRIPT: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    BINARY: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
_ARCHIVE_FOLDER = "package/dist"  # of both files in the archive
_FOLDERS = (".", "dist", _ARCHIVE_FOLDER)  # where both may lie in a folder of the user
_BY_HAND = f"npm pack {PACKAGE}@{VERSION}, and here --runtime {PACKAGE}-{VERSION}.tgz"
_MAX_BYTES = 256 << 20  # of an archive or a file
_HEADER = re.compile(r"ONNX Runtime Web v(\S+)")
# npm waits for minutes where there is no network.
_NPM = (
    "npm",
    "pack",
    "--loglevel=error",
    "--ignore-scripts",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=500",
)


@dataclass(frozen=True)
class Runtime:
    """The files of ONNX Runtime Web that a site needs.

    Args:
        version: of the package; "custom" where the script does not say it.
        script: an ES module.
        binary: the WebAssembly module that it loads.
    """

    version: str
    script: bytes
    binary: bytes


def find_runtime(source: Path | None = None) -> Runtime:
    """Find the files: in a folder or archive of the user, in the cache, or by npm.

    Args:
        source: a folder with the two files, such as an unpacked package, or the package's archive;
            its version may be another one. None: the pinned version.

    Raises:
        BackendError: the files are not there, are damaged, or cannot be fetched.
    """
    if source is not None:
        return _from_source(source)
    folder = cache_folder()
    cached = _cached(folder)
    if cached is not None:
        return _runtime(cached)
    logger.info("Fetching %s %s with npm, 33 MB, once.", PACKAGE, VERSION)
    files = _fetched()
    for name, content in files.items():
        write_bytes(folder / name, content)
    return _runtime(files)


def cache_folder() -> Path:
    """Return where the files of the pinned version are kept.

    It is ``$XDG_CACHE_HOME/trm-edge/onnxruntime-web-VERSION``, in ``~/.cache`` by default.
    """
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "trm-edge" / f"{PACKAGE}-{VERSION}"


def _cached(folder: Path) -> Mapping[str, bytes] | None:
    """The files in the cache; None unless both are there and whole."""
    files = {}
    for name, digest in SHA256.items():
        try:
            content = (folder / name).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest() != digest:
            logger.debug("%s is damaged; it is fetched again", folder / name)
            return None
        files[name] = content
    return files


def _fetched() -> Mapping[str, bytes]:
    """The files of the pinned version, fetched by npm.

    Raises:
        BackendError: there is no npm, it failed, or it fetched something else.
    """
    if shutil.which("npm") is None:
        raise BackendError(
            f"a page needs the npm package {PACKAGE}, but npm is not installed. Install Node.js, "
            f"or fetch it elsewhere: {_BY_HAND}."
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [*_NPM, f"--pack-destination={folder}", f"{PACKAGE}@{VERSION}"]
        run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        archives = list(Path(folder).glob("*.tgz"))
        if run.returncode or len(archives) != 1:
            lines = run.stderr.strip().splitlines() or ["it says nothing"]
            raise BackendError(
                f"npm cannot fetch {PACKAGE}@{VERSION} ({lines[0]}). Try again with a network, or "
                f"fetch it elsewhere: {_BY_HAND}."
            )
        content = archives[0].read_bytes()
        digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
        if f"sha512-{digest}" != INTEGRITY:
            raise BackendError(
                f"npm fetched something else than {PACKAGE} {VERSION}: expected {INTEGRITY}, but "
                f"got sha512-{digest}. Look which registry npm uses: npm config get registry"
            )
        return _from_archive(archives[0])


def _from_source(source: Path) -> Runtime:
    """Read the files that the user has.

    Raises:
        BackendError: they are not there.
    """
    try:
        if source.is_file():
            return _runtime(_from_archive(source))
        for folder in _FOLDERS:
            paths = [source / folder / name for name in (SCRIPT, BINARY)]
            if all(path.is_file() for path in paths):
                return _runtime({path.name: _bounded(path).read_bytes() for path in paths})
    except OSError as error:
        raise BackendError(f"cannot read {source}: {error_reason(error)}.") from error
    raise BackendError(
        f"{source} has no {SCRIPT} and {BINARY}, nor does its folder dist. Pass a folder or an "
        f"archive of the npm package {PACKAGE}: {_BY_HAND}."
    )


def _from_archive(path: Path) -> Mapping[str, bytes]:
    """Read the files from the package's archive.

    Raises:
        BackendError: it is no such archive.
    """
    files = {}
    try:
        with tarfile.open(_bounded(path)) as archive:
            for name in (SCRIPT, BINARY):
                member = archive.extractfile(f"{_ARCHIVE_FOLDER}/{name}")
                if member is None:
                    raise KeyError(name)
                files[name] = member.read(_MAX_BYTES)
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise BackendError(
            f"{path} is not an archive of the npm package {PACKAGE}: it has no "
            f"{_ARCHIVE_FOLDER}/{SCRIPT} and {BINARY}. Get one with: npm pack {PACKAGE}@{VERSION}"
        ) from error
    return files


def _bounded(path: Path) -> Path:
    """Return a path unless the file is too large to be read whole.

    Raises:
        BackendError: it is.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise BackendError(f"{path} is larger than {_MAX_BYTES >> 20} MiB, so it is no {PACKAGE}.")
    return path


def _runtime(files: Mapping[str, bytes]) -> Runtime:
    header = _HEADER.search(files[SCRIPT][:400].decode("utf-8", "replace"))
    version = "custom" if header is None else header[1]
    return Runtime(version, files[SCRIPT], files[BINARY])
