#!/usr/bin/env bash
# Put ONNX Runtime's C++ headers and library into a folder, for examples/cpp:
#
#   tools/onnxruntime_for_cpp.sh FOLDER [PYTHON]
#
# The headers are those of Debian's package libonnxruntime-dev, which is unpacked and not installed, so no root is
# needed. A Debian release that does not have the package yet takes it from trixie. The library is that of pip's
# onnxruntime of PYTHON (python3 by default): it runs programs compiled with older headers.
set -euo pipefail

folder=${1:?usage: onnxruntime_for_cpp.sh FOLDER [PYTHON]}
python=${2:-python3}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

library=$("$python" - << 'PYTHON'
from importlib.util import find_spec
from pathlib import Path

spec = find_spec("onnxruntime")
if spec is None or spec.origin is None:
    raise SystemExit("this Python has no onnxruntime; install it with: pip install onnxruntime")
libraries = sorted(Path(spec.origin).parent.glob("capi/libonnxruntime.*"))
if not libraries:
    raise SystemExit("this onnxruntime has no shared library of its own")
print(libraries[0])
PYTHON
)

# Download the package with the machine's own mirror, beside the machine's own lists.
download() {
  (cd "$work" && apt-get "$@" download -qq libonnxruntime-dev) > /dev/null 2>&1
}
if ! download; then
  mirrors=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sort -u)
  mirror=$(grep '/debian/*$' <<< "$mirrors" | head -n 1) || {
    echo "no package libonnxruntime-dev here: unpack ONNX Runtime's release archive instead" >&2
    exit 1
  }
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" > "$work/trixie.list"
  options=(-o "Dir::Etc::SourceList=$work/trixie.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$work/lists"
    -o "Dir::Cache=$work/cache")
  apt-get "${options[@]}" update -qq
  download "${options[@]}"
fi
dpkg-deb --extract "$work"/libonnxruntime-dev_*.deb "$work/package"

rm -rf "$folder/include" "$folder/lib"
mv "$work/package/usr/include" "$folder/include"
mkdir "$folder/lib"
ln -s "$library" "$folder/lib/libonnxruntime.so"
ln -s "$library" "$folder/lib/libonnxruntime.so.1"
echo "$folder: headers of $(basename "$work"/libonnxruntime-dev_*.deb), library $library"
