"""Tables of halting.json: the whole page, and the rows that the documentation shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Rows of the documentation: the option of `trm-edge solve` by rule and value.
_RULES = {
    ("fixed, N steps", "16"): "published, sixteen steps",
    ("adaptive, threshold", "0.0"): "published rule",
    ("adaptive, threshold", "2.0"): "`--halt-threshold 2`",
    ("adaptive, threshold", "4.0"): "`--halt-threshold 4`",
    ("adaptive, threshold", "6.0"): "`--halt-threshold 6`",
    ("unchanged for K steps", "1"): "`--halt fixed --stop-unchanged 1`",
    ("unchanged for K steps", "2"): "`--halt fixed --stop-unchanged 2`",
}
_SOURCE = "augmentations"
_LIMITS = {
    "threshold 2, 2 tries, confidence 1": "threshold 2, 2 tries",
    "threshold 2, 8 tries, confidence 1": "threshold 2, 8 tries",
    "threshold 2, 8 tries, confidence 0.99": "threshold 2, 8 tries until 99 % confidence",
}
_ONE_TRY = "threshold 2, 1 tries, confidence 1"
_HEAD = "exact, % (95 %) | mean steps |\n|---|---|---|"


def page(report: Mapping[str, Any]) -> str:
    """Format every row of every model.

    Args:
        report: content of halting.json.
    """
    lines = ["# Halting rules and rollouts\n\n`python benchmarks/halting.py`. INT8.\n"]
    for name, result in report.items():
        lines += [f"\n{name}, {result['puzzles']} puzzles\n", f"| | {_HEAD}"]
        for rule, rows in result["rules"].items():
            lines += [_line(f"{rule} {value}", row) for value, row in rows.items()]
        if not result["rollouts"]:
            continue
        lines += [f"\n{name}, rollouts, {result['rollout puzzles']} puzzles\n", f"| | {_HEAD}"]
        for source, rows in result["rollouts"].items():
            lines += [_line(f"{source}: {limit}", row) for limit, row in rows.items()]
    return "\n".join(lines) + "\n"


def document_tables(report: Mapping[str, Any]) -> dict[str, str]:
    """Format the rows that docs/speed.md shows, by the name of their place.

    Args:
        report: content of halting.json.
    """
    tables = {}
    for name, result in report.items():
        tables[f"{name} halting"] = _rule_table(result)
        if result["rollouts"]:
            tables[f"{name} rollouts"] = _rollout_table(result)
    return tables


def _rule_table(result: Mapping[str, Any]) -> str:
    lines = [f"| {result['puzzles']:,} puzzles | {_HEAD}"]
    for (rule, value), label in _RULES.items():
        lines.append(_line(label, result["rules"][rule][value]))
    return "\n".join(lines)


def _rollout_table(result: Mapping[str, Any]) -> str:
    rollouts = result["rollouts"]
    lines = [
        f"| {result['rollout puzzles']:,} of them | {_HEAD}",
        _line("threshold 2, one try", rollouts[_SOURCE][_ONE_TRY]),
    ]
    for limit, label in _LIMITS.items():
        lines.append(_line(f"{_SOURCE}, {label}", rollouts[_SOURCE][limit]))
    return "\n".join(lines)


def _line(label: str, row: Mapping[str, Any]) -> str:
    low, high = row["interval"]
    interval = f"{100 * low:.1f} - {100 * high:.1f}"
    return f"| {label} | {100 * row['exact']:.1f} ({interval}) | {row['steps']:.2f} |"
