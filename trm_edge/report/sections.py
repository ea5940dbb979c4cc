"""The sections of the page, in order; each adds its charts to the builder."""

from __future__ import annotations

from collections.abc import Iterator

from trm_edge.evaluation.ranking import LayerRanking
from trm_edge.report import figures
from trm_edge.report.builder import PageBuilder
from trm_edge.report.coverage_section import coverage_section
from trm_edge.report.floor_table import group_floors
from trm_edge.report.history_section import history_section
from trm_edge.report.markup import Content, Markup, chart_data, element, section
from trm_edge.report.overview import engines_text, overview
from trm_edge.report.rows import RowGroup


def page_sections(builder: PageBuilder) -> Iterator[Markup]:
    """Build every section of the page.

    Args:
        builder: holds the report and collects charts and players.
    """
    yield _header(builder)
    yield _latency_section(builder)
    yield _halting_section(builder)
    yield coverage_section(builder)
    yield _carry_section(builder)
    yield _sensitivity_section(builder)
    yield history_section(builder)
    yield _refinement_section(builder)


def _header(builder: PageBuilder) -> Markup:
    report = builder.report
    bundles = dict.fromkeys(str(row.bundle.path) for row in report.rows)
    facts = [
        ("Bundles", ", ".join(bundles)),
        *report.machines,
        ("Created", report.created),
        ("trm-edge", report.version),
    ]
    entries = []
    for name, value in facts:
        entries += [element("dt", name), element("dd", value)]
    parts: list[Content] = [element("dl", *entries)]
    for group in report.groups:
        parts.append(builder.group_heading(group))
        parts.append(overview(group, builder.marks))
        parts.append(_group_notes(group))
        parts += group_floors(group)
    if any(row.bench is not None for row in report.rows):
        note = (
            "ms: median time of one ACT (adaptive computation time) step with this many slots. "
            "Speedup over float32: measured side by side, in turns."
        )
        parts.append(element("p", note, class_="small"))
    if any("puzzle set" in group.name for group in report.groups):
        note = (
            "Rows of different puzzle sets solved different puzzles: their figures cannot be "
            "compared, so each set has a table and charts of its own."
        )
        parts.append(element("p", note, class_="small"))
    lead = (
        "Exact match is the share of held-out puzzles with every cell correct, with its 95 % "
        "interval. A star marks rows that no other row beats in both accuracy and latency."
    )
    heading = element("h1", "trm-edge report")
    engines = engines_text(report.groups)
    return element("header", heading, element("p", lead, class_="lead"), *parts, engines)


def _group_notes(group: RowGroup) -> Markup:
    counts = sorted({row.parity.puzzles for row in group.rows})
    numbers = " and ".join(f"{count:,}" for count in counts)
    notes = [f"Measured on {numbers} held-out puzzles."]
    if not all(row.parity.labelled for row in group.rows):
        notes.append(
            "Solutions are not known for all rows. Without them exact match cannot be measured; "
            "shown is the share of puzzles with the answer of the float32 model."
        )
    for row in group.rows:
        notes += [f"{row.label}: {problem}." for problem in row.broken]
        notes += [f"{row.label}, inconclusive: {problem}." for problem in row.undecided]
    return element("p", " ".join(notes), class_="small")


def _latency_section(builder: PageBuilder) -> Markup:
    title = "Accuracy and latency"
    parts: list[Content] = []
    timed = False
    for group in builder.report.groups:
        timed_rows = [row for row in group.rows if row.bench is not None]
        timed = timed or bool(timed_rows)
        if any(row.parity.labelled for row in timed_rows):
            figure = figures.latency_figure(group, builder.marks)
            parts.append(builder.group_heading(group))
            parts.append(builder.chart(figure, "exact match over latency"))
    if timed and not parts:
        return section(title, "No right answers are known, so there is no accuracy to draw.")
    if not parts:
        return section(title, "Nothing was timed: this report was made with --no-bench.")
    lead = (
        "Up and to the left is better. Filled marks halt adaptively, open marks take every step; "
        "bars are 95 % intervals. Puzzles are solved one at a time."
    )
    return section(title, lead, *parts)


def _halting_section(builder: PageBuilder) -> Markup:
    parts: list[Content] = []
    for group in builder.report.groups:
        figure = figures.halting_figure(group, builder.marks)
        parts.append(builder.group_heading(group))
        parts.append(builder.chart(figure, "puzzles by halting step"))
        parts.append(_halting_data(group))
    lead = (
        "The halting head ends a puzzle once it is confident. Where the bars of a bundle differ "
        "from those of float32, quantization changed that decision."
    )
    return section("Halting steps", lead, *parts)


def _halting_data(group: RowGroup) -> Markup:
    histograms = []
    for reference in group.references:
        histograms.append((reference.label, reference.row.parity.halting.histogram_reference))
    for row in group.rows:
        histograms.append((row.label, row.parity.halting.histogram_candidate))
    steps = max(len(counts) for _, counts in histograms)
    columns = ["puzzles that halt at step", *map(str, range(1, steps + 1))]
    rows = [[label, *map(str, counts)] for label, counts in histograms]
    return chart_data(columns, rows)


def _carry_section(builder: PageBuilder) -> Markup:
    parts: list[Content] = []
    for group in builder.report.groups:
        drawn = [row for row in group.rows if figures.has_carry_error(row)]
        exact = [row.label for row in group.rows if not figures.has_carry_error(row)]
        parts.append(builder.group_heading(group))
        if drawn:
            figure = figures.carry_figure(drawn, builder.marks)
            parts.append(builder.chart(figure, "carry error by step"))
        if exact:
            note = (
                f"Not drawn, since they differ from float32 by rounding only: {', '.join(exact)}."
            )
            parts.append(element("p", note, class_="small"))
        parts.append(_carry_data(group))
    lead = (
        "Distance of the recursion states from those of float32 after each step. A rising line "
        "is an error that grows with depth; 1e-7 is rounding."
    )
    return section("Carry error by step", lead, *parts)


def _carry_data(group: RowGroup) -> Markup:
    rows = []
    for row in group.rows:
        for state, cosines in row.parity.carry.states.items():
            errors = [f"{1 - cosine:.1e}" for cosine in cosines]
            rows.append([f"{row.label}, {state}", *errors])
    steps = max(len(row) for row in rows)
    return chart_data(["1 - cosine after step", *map(str, range(1, steps))], rows)


def _sensitivity_section(builder: PageBuilder) -> Markup:
    title = "Layer sensitivity"
    if not builder.report.rankings:
        lead = (
            "None of these bundles has a layer ranking. trm-edge export --sensitivity measures one "
            "and stores it in the bundle."
        )
        return section(title, lead)
    parts: list[Content] = []
    for row, ranking in builder.report.rankings:
        figure = figures.sensitivity_figure(ranking, builder.marks[row.label])
        parts.append(element("h3", f"{row.label}, {ranking.puzzles} calibration puzzles"))
        parts.append(builder.chart(figure, "carry error from quantizing each layer alone"))
        parts.append(_sensitivity_data(ranking))
    lead = (
        "Each layer quantized alone. The further to the right, the more it changes the carry: the "
        "first candidates to keep in float where accuracy falls short."
    )
    return section(title, lead, *parts)


def _sensitivity_data(ranking: LayerRanking) -> Markup:
    columns = ["layer", "first step", "last step", "halting head", "lost", "gained"]
    rows = []
    for layer in ranking.layers:
        row = [
            layer.layer,
            f"{layer.first_step:.1e}",
            f"{layer.last_step:.1e}",
            f"{layer.halting:.3f}",
            str(layer.lost),
            str(layer.gained),
        ]
        rows.append(row)
    return chart_data(columns, rows)


def _refinement_section(builder: PageBuilder) -> Markup:
    players = [builder.player(refinement) for refinement in builder.report.refinements]
    lead = (
        "A puzzle that takes many steps, with the prediction after each. Framed cells changed in "
        "that step; each bar is the confidence of the halting head."
    )
    return section("One puzzle, step by step", lead, element("div", *players, class_="refinements"))
