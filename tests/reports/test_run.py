from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import Event, History, Op
from ostrakon.reports import run
from tests.reports.reading import Page
from tests.reports.samples import DUEL, INVOKED_AND_DONE, MS, PLAN, SPLIT, split_decision, trace, write_run

HOSTILE = "</script></title><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x00"


def _page(folder: Path) -> Page:
    return Page(run.render(folder).read_text("utf-8"))


def test_the_verdict_the_reason_and_the_way_to_replay_it_come_first(tmp_path: Path) -> None:
    page = _page(write_run(tmp_path / "run"))

    assert page.text.startswith("invalid: decree · seed 7 · bug amnesiac")
    first = page.text.index("process 0 was told 'x', process 1 was told 'y'")
    assert first < page.text.index("ostrakon replay store/decree/seed-7") < page.text.index("Reason")


@pytest.mark.parametrize(
    ("verdict", "word"),
    [
        (Verdict.passed("all is well"), "valid"),
        (Verdict.unknown("nothing was learned"), "unknown"),
        (split_decision(), "invalid"),
    ],
)
def test_a_verdict_is_told_by_word_by_colour_and_by_shape(
    tmp_path: Path, verdict: Verdict, word: str
) -> None:
    page = _page(write_run(tmp_path, verdict=verdict))

    assert f'<header class="{word}">' in page.source
    assert f'<svg class="emblem {word}"' in page.source
    assert page.text.startswith(word)


@pytest.mark.parametrize(
    ("substrate", "said"),
    [
        ("sim", "virtual time 91"),
        ("live", "length 91"),
        ("hosts", "length 91"),
        (["hosts"], "virtual time 91"),
    ],
)
def test_only_the_length_of_a_simulation_is_virtual_time(
    tmp_path: Path, substrate: object, said: str
) -> None:
    assert said in _page(write_run(tmp_path, substrate=substrate)).text


def test_an_anomaly_is_told_with_its_ops_its_events_and_who_is_to_blame(tmp_path: Path) -> None:
    text = _page(write_run(tmp_path)).text

    assert "split decision found by consensus / agreement" in text
    assert "Who is to blame n2 forgot its vote" in text
    assert "C: an acceptor hid its vote from a later proposer" in text
    assert "P8 latent a promise reports the acceptor's vote with the highest ballot" in text


def test_a_crash_that_a_fault_inflicted_is_told_apart_from_one_of_the_nodes_own(tmp_path: Path) -> None:
    inflicted = {
        "node": "n3",
        "inflicted": True,
        "time": 5_000_000,
        "error": "OSError: disk full",
        "traceback": "T",
    }

    text = _page(write_run(tmp_path, crashes=[inflicted])).text

    assert "Nodes that faults brought down" in text
    assert "n3 at 0.005000 s: OSError: disk full" in text
    assert "crashed by themselves" not in text


def test_results_that_cannot_be_read_are_not_taken_for_a_run_that_goes_on(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    (folder / "results.json").write_text("{")

    assert "the result cannot be read" in _page(folder).text


def test_everything_that_was_recorded_has_its_place(tmp_path: Path) -> None:
    folder = write_run(tmp_path, crashes=[{"node": "n3", "traceback": "ValueError: boom"}])
    (folder / "log").mkdir()
    (folder / "log" / "n1.log").write_text("n1 says hello")

    text = _page(folder).text

    for expected in (
        "Nodes that crashed by themselves n3 ValueError: boom",
        "Messages around the witness",
        "Operations and messages",
        "Latency and rate",
        "decree with the seeded bug amnesiac in simulation with seed 7.",
        "3 nodes, 2 clients, about 20 operations a second for 1 s.",
        "Faults, as planned and as they happened",
        "partition n1 n2 | n3 minority 0.01–0.04 0.01–0.04 stopped 9 messages",
        "Departures from the default schedule",
        "sent 120",
        "n1 says hello",
        "history.jsonl",
    ):
        assert expected in text


def test_what_the_harness_itself_found_is_told_beside_the_anomalies(tmp_path: Path) -> None:
    finding = {
        "name": "client crashed",
        "valid": "unknown",
        "why": "at get:",
        "traceback": "Traceback\n boom",
    }

    text = _page(write_run(tmp_path, findings=[finding])).text

    assert "client crashed harness at get: Traceback boom" in text


def test_the_page_is_sound_html_whose_links_lead_somewhere(tmp_path: Path) -> None:
    page = _page(write_run(tmp_path))

    assert page.unbalanced == []
    assert [name for name, many in page.ids.items() if many > 1] == []
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))


def test_the_page_loads_nothing_and_lets_nothing_else_act(tmp_path: Path) -> None:
    page = _page(write_run(tmp_path))

    assert "default-src 'none'; style-src 'sha256-" in html.unescape(page.source)
    assert {"link", "img", "iframe", "object"}.isdisjoint(page.tags)
    assert not [link for link in page.links if ":" in link or link.startswith("//")]
    assert not [name for name in page.attributes if name == "style" or name.startswith("on")]


def test_hostile_values_are_text_wherever_they_turn_up(tmp_path: Path) -> None:
    history = [
        Op(index=0, time=0, type="invoke", process=0, f=HOSTILE, value={HOSTILE: HOSTILE}, node=HOSTILE),
        Op(index=1, time=MS, type="ok", process=0, f=HOSTILE, value=HOSTILE, error=HOSTILE),
        Op(index=2, time=MS, type="info", process="nemesis", f=f"start-{HOSTILE}", value=HOSTILE),
    ]
    events = trace((1, HOSTILE, "learned", {"value": HOSTILE, "how": HOSTILE, "message": HOSTILE}))
    anomaly = {
        "name": HOSTILE,
        "why": HOSTILE,
        "property": HOSTILE,
        "details": {HOSTILE: HOSTILE, "blame": HOSTILE},
        "ops": [{"index": 1, "time": 1, "type": "ok", "process": 0, "f": HOSTILE}],
        "events": [{"time": 1, "node": HOSTILE, "incarnation": 0, "seq": 0, "event": HOSTILE}],
    }
    folder = write_run(
        tmp_path,
        history,
        events,
        plan={"workload": HOSTILE, "faults": [{"kind": HOSTILE, "at_ms": 1}]},
        valid=False,
        why=HOSTILE,
        replay=HOSTILE,
        bug=HOSTILE,
        seed=HOSTILE,
        workload=HOSTILE,
        verdict=None,
        crashes=[{"node": HOSTILE, "traceback": HOSTILE}],
        network={HOSTILE: HOSTILE},
        faults=[{"kind": HOSTILE, HOSTILE: HOSTILE}],
        findings=[{"name": HOSTILE, "why": HOSTILE}],
    )
    results = json.loads((folder / "results.json").read_bytes())
    results["verdict"] = {
        "parts": {HOSTILE: {"anomalies": [anomaly], "why": HOSTILE, "details": {"a": HOSTILE}}}
    }
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "log").mkdir()
    (folder / "log" / "n1.log").write_text(HOSTILE)

    page = _page(folder)

    assert page.tags["script"] == 2, "the page's own script, and the data of its viewer in base64"
    assert page.tags["img"] == 0
    assert page.unbalanced == []
    assert not [name for name in page.attributes if name.startswith("on")]
    assert "\u202e" not in page.source
    assert "\x00" not in page.source


def test_huge_values_are_cut(tmp_path: Path) -> None:
    huge = "v" * 1_000_000
    history = [
        Op(index=0, time=0, type="invoke", process=0, f=huge, value=huge),
        Op(index=1, time=1, type="ok", process=0, f=huge, value=[huge] * 3, error=huge),
    ]
    events = trace((1, "n1", "learned", {"value": huge}))
    folder = write_run(tmp_path, history, events, why=huge, network={"x": huge}, replay=huge)

    assert run.render(folder).stat().st_size < 150_000


def test_a_hundred_thousand_ops_make_a_page_of_less_than_two_megabytes(tmp_path: Path) -> None:
    history = History(
        Op(index=2 * n + end, time=n * MS + end * 700_000, type=type_, process=n % 10, f="get", value=n)
        for n in range(50_000)
        for end, type_ in INVOKED_AND_DONE
    )
    events = tuple(
        Event(time=n * MS, node=f"n{n % 5}", incarnation=0, seq=n, event="promise_sent", message=str(n))
        for n in range(50_000)
    )

    page = run.render(write_run(tmp_path, history, events))

    assert page.stat().st_size < 2_000_000
    assert "of 50,000 operations are drawn" in page.read_text()


@pytest.mark.parametrize("missing", ["plan.json", "history.jsonl", "trace.jsonl", "results.json"])
def test_a_missing_file_is_told_and_the_rest_is_shown(tmp_path: Path, missing: str) -> None:
    folder = write_run(tmp_path)
    (folder / missing).unlink()

    page = _page(folder)

    assert f"Not all of this run could be read {missing} is missing." in page.text
    assert page.unbalanced == []


@pytest.mark.parametrize("name", ["plan.json", "results.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 5_000])
def test_a_damaged_file_is_told_and_the_rest_is_shown(tmp_path: Path, name: str, content: bytes) -> None:
    folder = write_run(tmp_path)
    (folder / name).write_bytes(content)

    assert f"Not all of this run could be read {name}" in _page(folder).text


def test_a_history_that_breaks_off_is_shown_up_to_there(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    path = folder / "history.jsonl"
    path.write_bytes(path.read_bytes()[:-200])

    text = _page(folder).text

    assert "history.jsonl, line 12:" in text
    assert "What stands before that line is shown." in text
    assert "split decision" in text


def test_a_run_that_nobody_judged_is_unknown(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    (folder / "results.json").unlink()

    assert _page(folder).text.startswith("unknown: decree")


def test_an_empty_folder_makes_a_page_that_says_what_is_missing(tmp_path: Path) -> None:
    text = _page(tmp_path).text

    assert "No client did anything." in text
    assert "Messages" not in text
    assert "No checker has given a verdict." in text


@pytest.mark.parametrize(
    "junk", [3, "x", [1], {"a": {"b": {"c": {"d": {"e": [1, {"f": None}]}}}}}, None, True]
)
@pytest.mark.parametrize(
    "field",
    ["verdict", "faults", "network", "crashes", "findings", "seed", "why", "virtual_s", "bug", "digest"],
)
def test_results_of_any_shape_make_a_page(tmp_path: Path, field: str, junk: object) -> None:
    fields: dict[str, Any] = {field: junk}

    page = _page(write_run(tmp_path, (), (), **fields) if field != "verdict" else _with(tmp_path, junk))

    assert page.unbalanced == []


def _with(folder: Path, verdict: object) -> Path:
    write_run(folder)
    (folder / "results.json").write_text(json.dumps({"valid": False, "verdict": verdict}))
    return folder


@pytest.mark.parametrize("junk", [3, "x", [1], {"a": 1}, None, True])
@pytest.mark.parametrize(
    "field", ["faults", "nodes", "concurrency", "seed", "latency", "deviations", "workload"]
)
def test_plans_of_any_shape_make_a_page(tmp_path: Path, field: str, junk: object) -> None:
    assert _page(write_run(tmp_path, plan={**PLAN, field: junk})).unbalanced == []


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "valid",
                    "why",
                    "verdict",
                    "parts",
                    "anomalies",
                    "details",
                    "blame",
                    "story",
                    "event",
                    "faults",
                    "kind",
                    "nodes",
                    "grudge",
                    "links",
                    "at_ms",
                    "for_ms",
                    "name",
                    "ops",
                    "events",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=60, deadline=None)
@given(plan=json_values, results=json_values)
def test_any_json_whatsoever_makes_a_page(
    tmp_path_factory: pytest.TempPathFactory, plan: object, results: object
) -> None:
    folder = tmp_path_factory.mktemp("run")
    (folder / "plan.json").write_text(json.dumps(plan))
    (folder / "results.json").write_text(json.dumps(results))

    assert _page(folder).unbalanced == []


@pytest.mark.parametrize(
    "times", [(5, 1), (-5, -1), (0, 10**30), (10**18, 10**18 + 1), (-(10**300), 10**300)]
)
def test_times_that_make_no_sense_make_a_page(tmp_path: Path, times: tuple[int, int]) -> None:
    folder = write_run(tmp_path, (), ())
    op = {"process": 0, "f": "get", "value": None}
    event = {"node": "n1", "incarnation": 0, "event": "learned"}
    (folder / "history.jsonl").write_text(
        "".join(
            json.dumps({"index": n, "time": time, "type": type_, **op}) + "\n"
            for n, (time, type_) in enumerate(zip(times, ("invoke", "ok"), strict=True))
        )
    )
    (folder / "trace.jsonl").write_text(
        "".join(json.dumps({"time": time, "seq": n, **event}) + "\n" for n, time in enumerate(times))
    )

    assert _page(folder).unbalanced == []


def test_the_drawings_can_be_read_as_tables(tmp_path: Path) -> None:
    source = _page(write_run(tmp_path)).source

    assert source.count("<summary>The same as a table</summary>") == 2


def test_a_page_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    folder = write_run(tmp_path)

    assert run.render(folder).read_bytes() == run.render(folder).read_bytes()


def test_rendering_leaves_what_was_recorded_alone(tmp_path: Path) -> None:
    folder = write_run(tmp_path, SPLIT, DUEL)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    run.render(folder)

    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after.pop("report.html")
    assert after == before
