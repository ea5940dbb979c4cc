"""Both ways to a SHA-256: the browser's own, and that of pages without HTTPS."""

from __future__ import annotations

import hashlib

import numpy as np

from tests.page.node import run_script

SCRIPT = """
const { sha256 } = await load("sha256.js");
const results = [];
for (const content of data) {
  const bytes = Uint8Array.from(content);
  results.push([await sha256(bytes), await sha256(bytes, null)]);
}
return results;
"""


def test_hashes_are_those_of_hashlib() -> None:
    rng = np.random.default_rng(0)
    contents = [rng.bytes(size) for size in (0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 70_001)]
    results = run_script(SCRIPT, [list(content) for content in contents])
    for content, digests in zip(contents, results, strict=True):
        assert digests == [hashlib.sha256(content).hexdigest()] * 2
