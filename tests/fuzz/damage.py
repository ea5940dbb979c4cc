"""Seeded damage to bytes and to JSON, and the judgement of how a reader ended."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from typing import Any

from trm_edge.errors import TrmEdgeError

TEXTS = [
    "",
    "..",
    "../x",
    "/etc/passwd",
    "a/../../b",
    "a\0b",
    "a\nb",
    "\x1b[31mred",
    "\x9b31m",
    "[/bold]",
    "\ud800",
    "\u202egnp",
    "x" * 100_000,
    "a/" * 3000,
    "a:b",
    "::error::x",
    "<script>alert(1)</script>",
    "trm-edge.bundle/²",
    "trm-edge.bundle/" + "9" * 5000,
]
NUMBERS = [0, -1, 1, 3, 256, 2**31, 2**63, 2**64, 10**300, 0.0, 0.5, 1e-300, 1e300, True, None]
RAW = ["1e999", "NaN", "9" * 5000, "[" * 100_000, '{"a":' * 50_000, "-", "[" * 900 + "]" * 900]


def cases(usual: int) -> int:
    """Number of cases of each kind: the usual one, or that of ``make fuzz``.

    Args:
        usual: cases that ``make test`` has the time for.
    """
    return int(os.environ.get("FUZZ_CASES", usual))


def refusal(run: Callable[[], object]) -> str | None:
    """Run a reader; return the sentence with which it refused, or None where it went through.

    Any exception but ours comes out and fails the test.
    """
    try:
        run()
    except TrmEdgeError as error:
        text = str(error)
        assert text.strip()
        assert len(text) <= 4100
        assert text.replace("\n", "").replace("\t", "").replace("\u00a0", "").isprintable(), text
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())
        return text
    return None


def damaged_bytes(content: bytes, rng: random.Random) -> bytes:
    """Flip, cut, repeat or overwrite bytes."""
    data = bytearray(content)
    place = rng.randrange(max(len(data), 1))
    damage = rng.choice(["flip", "flip", "set", "cut", "grow", "block", "empty", "insert"])
    if damage == "flip":
        for _ in range(rng.choice([1, 2, 8, 64])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif damage == "set":
        data[place] = rng.choice([0, 255, 127, 128, 10])
    elif damage == "cut":
        del data[place:]
    elif damage == "grow":
        data += rng.randbytes(rng.choice([1, 7, 4096]))
    elif damage == "block":
        data[place : place + 64] = bytes(64)
    elif damage == "empty":
        data.clear()
    else:
        data[place:place] = rng.randbytes(4)
    return bytes(data)


def damaged_json(text: str, rng: random.Random) -> str:
    """Replace, remove or rename one value of a JSON text, or break the text itself."""
    values = json.loads(text)
    holder, key = rng.choice(_places(values))
    damage = rng.choice(["value", "value", "value", "raw", "gone", "renamed", "whole"])
    if damage == "whole":
        return rng.choice([*RAW, "null", "[]", "3", "{}", "", "\ufeff{}"])
    if damage == "gone":
        del holder[key]
    elif damage == "renamed" and isinstance(holder, dict):
        holder[rng.choice(TEXTS)] = holder.pop(key)
    elif damage == "raw":
        holder[key] = "@RAW@"
    else:
        holder[key] = rng.choice([*TEXTS, *NUMBERS, [], {}, [None], {"": None}, [1, 2]])
    return json.dumps(values).replace('"@RAW@"', rng.choice(RAW))


def _places(values: Any) -> list[tuple[Any, Any]]:
    """Every place of a value: what holds it, and its key or index there."""
    places: list[tuple[Any, Any]] = []
    items: list[tuple[Any, Any]] = []
    if isinstance(values, dict):
        items = list(values.items())
    elif isinstance(values, list):
        items = list(enumerate(values))
    for key, value in items:
        places.append((values, key))
        places += _places(value)
    return places
