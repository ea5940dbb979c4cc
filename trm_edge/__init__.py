"""trm-edge: Tiny Recursive Models, exported, quantized and solved where they are used."""

from __future__ import annotations

__version__ = "0.1.0"
