"""The benchmark of the page in a browser: what it needs no browser for."""

from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

from tests.benchmarks.scripts import browser, site_server
from trm_edge.bundle import Bundle
from trm_edge.page.content import graphs_of


def test_native_steps_are_those_of_the_graph(old_bundles: Path) -> None:
    bundle = Bundle.open(old_bundles / "toy-fp32")
    (graph,) = graphs_of(bundle)
    vectors = bundle.parity().first(2)
    session = browser().native_session(bundle, graph, 1)
    times = browser().native_steps(session, bundle, vectors.tokens.tolist())
    assert len(times) == 2 * bundle.config.halt_max_steps
    assert min(times) > 0


def test_sent_bytes_are_counted(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1234567")
    with site_server().serve_site(tmp_path, {"X-Header": "yes"}) as server:
        for count in (1, 2):
            with urlopen(f"{server.url}file") as response:
                assert response.headers["X-Header"] == "yes"
                assert response.read() == b"1234567"
            assert server.sent_bytes == 7 * count


def test_a_site_says_what_was_asked_for_and_may_be_changed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"of the site")
    with site_server().serve_site(tmp_path) as server:
        server.changed["file"] = b"another"
        with urlopen(f"{server.url}file") as response:
            assert response.read() == b"another"
        assert server.requests == ["file"]
        assert server.sent_bytes == len(b"another")


def test_tables_have_a_row_for_each_measurement() -> None:
    visit = {"model": "maze", "sent_bytes": 4_300_000, "ready_s": 1.0}
    steps = {"model": "maze", "graph": "INT8", "threads": 2, "page_ms": 30.0, "native_ms": 10.0}
    report = {
        "visits": [{**visit, "answered_s": 1.26, "memory_bytes": 9e7}],
        "steps": [steps],
    }
    assert browser().visit_table(report).splitlines()[2:] == ["| maze | 4.30 | 1.0 | 1.3 | 90 |"]
    expected = "| maze | INT8 | 2 | 30.0 | 10.0 | 3.0 |"
    assert browser().step_table(report).splitlines()[2:] == [expected]
