"""Tables of a search: levels, and what tries and depth gain."""

from __future__ import annotations

from typing import Any

from lib.paired_gains import Solved, mean_gain, solved_puzzles

Part = dict[str, Any]
Results = dict[str, Part]

DEPTH = "depth"
_SEARCH_HEAD = """\
| puzzles | explorer | one try | tries | valid | steps | gain, float32 | gain, INT8 | \
INT8 less float32 | tries | q | mode | settled | mode less q |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"""
_LEVELS_HEAD = """\
| puzzles | explorer | selector | tries | exact, float32, % (95 %) | exact, INT8, % (95 %) | \
steps, INT8 |
|---|---|---|---|---|---|---|"""


def page(results: Results) -> str:
    """Write the page of a search.

    Args:
        results: content of search.json.
    """
    text = "# Tries, selectors and depth\n\n`python benchmarks/search.py`\n"
    for title, table in summaries(results).items():
        text += f"\n## {title}\n\n{table}\n"
    for model, table in _levels(results).items():
        text += f"\n## {model}, every selector and number of tries\n\n{table}\n"
    return text


def summaries(results: Results) -> dict[str, str]:
    """Make two tables for each model: its explorers, with the most tries; and its depth.

    Args:
        results: content of search.json.
    """
    searches: dict[str, list[str]] = {}
    depths: dict[str, list[str]] = {}
    for part, float_part in _pairs(results):
        model = part["model"]
        if part["explorer"] == DEPTH:
            lines = depths.setdefault(f"{model} depth", [_depth_head(part)])
            lines += _depth_lines(part, float_part)
        else:
            lines = searches.setdefault(f"{model} search", [_SEARCH_HEAD])
            lines.append(_search_line(part, float_part))
    tables = {**searches, **depths}
    return {name: "\n".join(tables[name]) for name in sorted(tables)}


def _pairs(results: Results) -> list[tuple[Part, Part]]:
    """Each part in INT8 with the one in float32."""
    pairs = []
    for key, part in results.items():
        float_part = results.get(key.replace(", int8, ", ", float32, ", 1))
        if part["precision"] == "int8" and float_part is not None:
            pairs.append((part, float_part))
    return pairs


def _search_line(part: Part, float_part: Part) -> str:
    rows = part["rows"]
    most = max(rows["valid"], key=int)
    compared = max(rows["q"], key=int)
    gained = _differences(part, most)
    float_gained = _differences(float_part, most)
    mode_gain = _solved(part, "mode", compared) - _solved(part, "q", compared)
    cells = [part["puzzles"], part["explorer"], _percent(rows["valid"]["1"])]
    cells += [most, _percent(rows["valid"][most]), f"{rows['valid'][most]['steps']:.1f}"]
    for differences in (float_gained, gained, gained - float_gained):
        cells.append(mean_gain(differences).points)
    cells.append(compared)
    for selector in ("q", "mode", "settled"):
        cells.append(_percent(rows[selector][compared]) if selector in rows else "")
    cells.append(mean_gain(mode_gain).points)
    return f"| {' | '.join(cells)} |"


def _differences(part: Part, tries: str) -> Solved:
    """What tries gain over the first one, (n,) of -1, 0 and 1."""
    return _solved(part, "valid", tries) - _solved(part, "valid", "1")


def _solved(part: Part, name: str, count: str) -> Solved:
    puzzles = int(part["puzzles"].split()[0])
    return solved_puzzles(part["rows"][name][count], puzzles)


def _depth_head(part: Part) -> str:
    limits = list(part["rows"]["fixed"])
    cells = ["puzzles", "precision", "halting", *(f"{limit} steps" for limit in limits)]
    return f"| {' | '.join(cells)} |\n|{'---|' * len(cells)}"


def _depth_lines(part: Part, float_part: Part) -> list[str]:
    """Exact match by the number of steps, with the flips against the model's own number."""
    lines = []
    for label, each in (("float32", float_part), ("INT8", part)):
        for halting, rows in each["rows"].items():
            own = list(rows)[-3]
            cells = [each["puzzles"], label, halting]
            for limit, row in rows.items():
                flips = ""
                if int(limit) > int(own):
                    change = _solved(each, halting, limit) - _solved(each, halting, own)
                    flips = f", -{(change < 0).sum()} +{(change > 0).sum()}"
                cells.append(f"{_exact(row)}{flips}")
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _levels(results: Results) -> dict[str, str]:
    tables: dict[str, list[str]] = {}
    for part, float_part in _pairs(results):
        if part["explorer"] == DEPTH:
            continue
        lines = tables.setdefault(part["model"], [_LEVELS_HEAD])
        for selector, rows in part["rows"].items():
            for tries, row in rows.items():
                cells = [part["puzzles"], part["explorer"], selector, tries]
                cells += [_exact(float_part["rows"][selector][tries]), _exact(row)]
                cells.append(f"{row['steps']:.2f}")
                lines.append(f"| {' | '.join(cells)} |")
    return {model: "\n".join(lines) for model, lines in tables.items()}


def _exact(row: dict[str, Any]) -> str:
    low, high = row["interval"]
    return f"{100 * row['exact']:.1f} ({100 * low:.1f} - {100 * high:.1f})"


def _percent(row: dict[str, Any]) -> str:
    return f"{100 * row['exact']:.1f}"
