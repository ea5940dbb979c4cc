"""Replay votes with --until-decided: how many augmentations it saves, and what is lost by it.

    python benchmarks/arc_stopping.py --output benchmarks/results
    python benchmarks/arc_stopping.py --dataset RUN --output DIR RUN/predictions-*.npz

With predictions (of trm-edge solve -o or the published evaluator) their own votes are replayed in
the order of the rows. Without any, made-up voters stand in for a model; the page says so. Writes
arc_stopping.json and arc_stopping.md. One core.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import click
from lib.vote_records import VoteRecord, made_up_records, read_records

from trm_edge.arc.stopping import LOOK_ROUNDS, Leaders, StoppingRule
from trm_edge.evaluation.machine import Machine
from trm_edge.files import write_text
from trm_edge.progress import Track, progress_bars

PROBABILITIES = (0.8, 0.9, 0.95, 0.99, 0.999)


@dataclass(frozen=True)
class Outcome:
    """Votes that were stopped early, or that were fewer from the start.

    Args:
        rule: what ended them.
        votes: share of all votes that were asked for.
        ended: share of the inputs that ended early.
        other_pair: share of the inputs whose two leading answers differ from those of all votes.
        pass_1: share of the inputs whose first answer is right.
        pass_2: share of the inputs with a right answer among the first two.
    """

    rule: str
    votes: float
    ended: float
    other_pair: float
    pass_1: float
    pass_2: float


@click.command(help=__doc__)
@click.argument("predictions", nargs=-1, type=click.Path(path_type=Path))
@click.option("--dataset", type=click.Path(path_type=Path), help="Folder of the predictions.")
@click.option("--inputs", default=400, show_default=True, help="Made-up test inputs.")
@click.option("--votes", default=1000, show_default=True, help="Made-up votes on each.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
def main(
    predictions: tuple[Path, ...], dataset: Path | None, inputs: int, votes: int, output: Path
) -> None:
    if predictions and dataset is None:
        raise click.UsageError("Pass the folder of the predictions with --dataset.")
    if predictions and dataset is not None:
        records = read_records(dataset, predictions)
        source = ""
    else:
        records = made_up_records(inputs, votes)
        source = (
            "Made-up voters, not a model: their answers are draws of a Pitman-Yor process, and "
            "45 % of the inputs have a right answer with a share of their votes of its own."
        )
    with progress_bars() as track:
        outcomes = measured(records, track)
    report = {
        "machine": str(Machine.current()),
        "source": source,
        "inputs": len(records),
        "votes": sum(len(record.answers) for record in records) / len(records),
        "outcomes": [asdict(outcome) for outcome in outcomes],
    }
    write_text(output / "arc_stopping.json", json.dumps(report, indent=1) + "\n")
    page = _page(report)
    write_text(output / "arc_stopping.md", page)
    click.echo(page)


def measured(records: Sequence[VoteRecord], track: Track) -> list[Outcome]:
    """Replay all votes, with each rule, and with fewer votes for everybody at the same cost."""
    every = [len(record.answers) for record in records]
    outcomes = [outcome_of("all votes", records, every)]
    rules = []
    for leaders in get_args(Leaders):
        rules += [StoppingRule(probability, leaders) for probability in PROBABILITIES]
    for rule in track(rules, "rules"):
        asked = [votes_asked(record.answers, rule) for record in records]
        name = f"--until-decided {rule.probability:g} --decide {rule.leaders}"
        outcomes.append(outcome_of(name, records, asked))
        share = outcomes[-1].votes
        fewer = [max(1, round(share * count)) for count in every]
        outcomes.append(outcome_of("the same number of votes, spread evenly", records, fewer))
    return outcomes


def votes_asked(answers: Sequence[int], rule: StoppingRule) -> int:
    """Count the votes after which a rule ends an input, as trm-edge solve looks at them."""
    counts: Counter[int] = Counter()
    for start in range(0, len(answers), LOOK_ROUNDS):
        counts.update(answers[start : start + LOOK_ROUNDS])
        asked = min(start + LOOK_ROUNDS, len(answers))
        if rule.is_decided(sorted(counts.values(), reverse=True), len(answers) - asked):
            return asked
    return len(answers)


def outcome_of(name: str, records: Sequence[VoteRecord], asked: Sequence[int]) -> Outcome:
    """Judge the leading answers of the first votes on each input."""
    other_pair = 0
    right = [0, 0]
    for record, count in zip(records, asked, strict=True):
        leading = record.leading(count)
        other_pair += set(leading) != set(record.leading(len(record.answers)))
        right[0] += record.right in leading[:1]
        right[1] += record.right in leading
    inputs = len(records)
    total = sum(len(record.answers) for record in records)
    ended = sum(count < len(record.answers) for record, count in zip(records, asked, strict=True))
    return Outcome(
        name, sum(asked) / total, ended / inputs, other_pair / inputs, *(n / inputs for n in right)
    )


def _page(report: dict[str, Any]) -> str:
    lines = [f"{report['inputs']} test inputs, {report['votes']:.0f} votes each."]
    if report["source"]:
        lines.append(report["source"])
    lines += [
        report["machine"],
        "",
        "| votes end | votes asked for | inputs that end early | another pair | pass@1 | pass@2 |",
        "|---|---|---|---|---|---|",
    ]
    for outcome in report["outcomes"]:
        shares = [
            f"{100 * outcome[key]:.1f} %"
            for key in ("votes", "ended", "other_pair", "pass_1", "pass_2")
        ]
        lines.append(f"| {outcome['rule']} | {' | '.join(shares)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
