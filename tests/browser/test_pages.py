"""Pages as a person sees them: opened in Debian's Chromium, without a network."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest

from ostrakon.checkers.linearizability import linearizable
from ostrakon.checkers.verdict import Verdict
from ostrakon.reports import campaign, index, run
from tests.reports.samples import ops, split_decision, write_run
from tests.reports.test_campaign import SUMMARY
from tests.reports.unpacking import OP_COLUMNS, unpacked

CHROMIUM = shutil.which("chromium")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no chromium here: apt-get install chromium brings it"
)

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    # Whatever a page might ask for, it is not to be had.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)

VERDICTS = {
    "valid": Verdict.passed("one decree"),
    "unknown": Verdict.unknown("nothing was learned"),
    "invalid": split_decision(),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run of each verdict, an index and the page of a campaign."""
    root = tmp_path_factory.mktemp("store")
    for name, verdict in VERDICTS.items():
        run.render(write_run(root / "decree" / name, verdict=verdict))
    index.render(root)
    campaign.render(SUMMARY, root / "campaign.html")
    return root


PAGES = [*(f"decree/{name}/report.html" for name in VERDICTS), "index.html", "campaign.html"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_without_complaint_and_asks_the_network_for_nothing(
    store: Path, page: str, tmp_path: Path
) -> None:
    complaints, requests = _watch(store / page, tmp_path)

    assert (complaints, requests) == ([], [])


def test_the_watch_on_the_network_sees_what_a_page_asks_for(tmp_path: Path) -> None:
    page = tmp_path / "curious.html"
    page.write_text('<img src="http://example.invalid/x.png"><script>console.log("hm")</script>')

    complaints, requests = _watch(page, tmp_path)

    assert len(complaints) >= 1
    assert requests == ["http://example.invalid/x.png"]


def test_no_page_is_wider_than_its_window_be_it_wide_or_narrow(store: Path, tmp_path: Path) -> None:
    # Frames, since a window cannot be made that narrow, and all at once, since a browser is slow to start.
    widths = (1280, 400)
    frames = [_measuring(store / page, width) for page in PAGES for width in widths]
    read = "document.title = Array.from(frames).map((f) => f.document.title).join(', ')"
    all_of_them = tmp_path / "frames.html"
    all_of_them.write_text(f"{''.join(frames)}<script>onload = () => {{ {read} }}</script>")

    dom = _browse(all_of_them, tmp_path, "--dump-dom", "--allow-file-access-from-files").stdout

    expected = [f"{width} of {width}" for _ in PAGES for width in widths]
    assert re.findall(r"<title>(.*?)</title>", dom)[0].split(", ") == expected


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_not_blank_in_either_scheme(store: Path, scheme: str, tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []

    _browse(store / PAGES[2], tmp_path, f"--screenshot={shot}", "--window-size=1280,1600", *dark)

    rows, lightness = _look_at(shot)
    assert len(rows) > 200, "most rows of a page with something on it differ from each other"
    assert (lightness > 128) == (scheme == "light")


def test_scripts_make_a_page_better(store: Path, tmp_path: Path) -> None:
    dom = _browse(store / PAGES[2], tmp_path, "--dump-dom").stdout

    assert '<button type="button" class="copy">Copy</button>' in dom


def test_runs_can_be_sorted_and_searched(store: Path, tmp_path: Path) -> None:
    said = _acted(
        store / "index.html",
        tmp_path,
        """
        const rows = "tbody tr:not([hidden])";
        const told = () => [...document.querySelectorAll(rows)].map((row) => row.dataset.valid);
        const before = told();
        document.querySelectorAll("th button")[1].click();
        const byName = told();
        const search = document.querySelector("input[type=search]");
        search.value = "nothing learned";
        search.dispatchEvent(new Event("input", { bubbles: true }));
        return [before, byName, told()];
        """,
    )

    assert said == [["invalid", "unknown", "valid"], ["invalid", "unknown", "valid"], ["unknown"]]


def test_the_viewer_shows_every_operation_and_filters_them(store: Path, tmp_path: Path) -> None:
    said = _acted_with_viewer(
        store / PAGES[2],
        tmp_path,
        """
        const all = viewer.count.textContent;
        const names = viewer.lanes.map((lane) => lane.name);
        viewer.root.querySelector(".by-f").value = viewer.v.fs.indexOf("get");
        viewer.root.querySelector(".by-f").dispatchEvent(new Event("change"));
        const gets = [viewer.count.textContent, ...viewer.shown.map((n) => viewer.label(n))];
        const find = viewer.root.querySelector(".by-text");
        find.value = "no such thing";
        find.dispatchEvent(new Event("input"));
        return [all, names, gets, viewer.count.textContent];
        """,
    )

    assert said == [
        "5 operations",
        ["client 0", "client 1"],
        ["3 of 5 operations", "get ✕", "get", "get"],
        "0 of 5 operations",
    ]


def test_the_viewer_takes_the_place_of_the_drawing_that_needs_no_script(store: Path, tmp_path: Path) -> None:
    said = _acted_with_viewer(
        store / PAGES[2],
        tmp_path,
        """
        const shown = (selector) => getComputedStyle(document.querySelector(selector)).display !== "none";
        return [shown(".viewer"), shown(".fixed .drawing"), viewer.canvas.clientHeight > 100];
        """,
    )

    assert said == [True, False, True]


def test_a_link_to_an_operation_leads_into_the_viewer_which_reads_it_out(store: Path, tmp_path: Path) -> None:
    said = _acted_with_viewer(
        store / PAGES[2],
        tmp_path,
        """
        document.querySelector('a[href="#op-1"]').click();
        return [viewer.pick.textContent, document.activeElement === viewer.canvas];
        """,
    )

    assert said == ["process 1: propose y\nok, op 1, 0.002000 s to 0.040000 s", True]


def test_the_order_of_a_key_is_drawn_when_the_key_is_chosen(tmp_path: Path) -> None:
    history = ops(
        (10, "invoke", 0, "write", ["x", 1]),
        (11, "invoke", 1, "write", ["y", 2]),
        (20, "ok", 0, "write", ["x", 1]),
        (21, "ok", 1, "write", ["y", 2]),
        (30, "invoke", 0, "read", ["x", None]),
        (40, "ok", 0, "read", ["x", 1]),
    )
    verdict = linearizable(history, "keyed-register")
    folder = run.render(write_run(tmp_path / "kv" / "keyed", history, (), verdict=verdict))

    said = _acted_with_viewer(
        folder,
        tmp_path,
        """
        const key = viewer.root.querySelector(".by-key");
        const before = viewer.order;
        key.value = viewer.v.keys.indexOf("x");
        key.dispatchEvent(new Event("change"));
        viewer.choose(viewer.order.ops[1]);
        const read = viewer.pick.textContent.split("\\n").at(-1);
        return [before, viewer.order.ops.map((n) => viewer.label(n)), read];
        """,
    )

    assert said == [None, ['write ["x",1]', "read x → 1"], "number 2 in the order"]


def test_the_viewer_is_worked_by_keys(store: Path, tmp_path: Path) -> None:
    said = _acted_with_viewer(
        store / PAGES[2],
        tmp_path,
        """
        const press = (key) => viewer.canvas.dispatchEvent(new KeyboardEvent("keydown", { key }));
        press("n");
        const first = viewer.picked;
        press("n");
        const second = viewer.picked;
        const before = viewer.zoom;
        press("-");
        press("+");
        press("+");
        return [first, second, viewer.zoom > before];
        """,
    )

    assert said == [0, 1, True]


def test_time_is_stretched_and_said_to_be_until_it_is_made_linear(store: Path, tmp_path: Path) -> None:
    said = _acted_with_viewer(
        store / PAGES[2],
        tmp_path,
        """
        const said = () => viewer.root.querySelector(".scale").textContent;
        const evenness = () => {
          const [a, b, c] = [50, 60, 70].map((ms) => viewer.x(ms * 1e6));
          return Math.abs(b - a - (c - b)) < 0.01;
        };
        const before = [said(), evenness()];
        viewer.root.querySelector(".tools button").click();
        return [before, [said(), evenness()]];
        """,
    )

    stretched = "Time is stretched where much happens; hatched stretches are long waits drawn short."
    assert said == [[stretched, False], ["Time is linear.", True]]


def test_what_is_under_the_pointer_is_told_and_a_click_reads_it_out(store: Path, tmp_path: Path) -> None:
    said = _acted_with_viewer(
        store / PAGES[2],
        tmp_path,
        """
        viewer.paint();
        const [left, top, wide, tall] = viewer.hits.find(([, , , , kind, n]) => kind === "op" && n === 0);
        const [x, y] = [Math.max(left, viewer.gutter) + 3, top + tall / 2];
        const box = viewer.canvas.getBoundingClientRect();
        const at = { clientX: box.left + x, clientY: box.top + y, bubbles: true, pointerId: 1 };
        viewer.canvas.setPointerCapture = () => {};
        viewer.canvas.dispatchEvent(new PointerEvent("pointermove", at));
        const title = viewer.canvas.title;
        viewer.canvas.dispatchEvent(new PointerEvent("pointerdown", at));
        viewer.canvas.dispatchEvent(new PointerEvent("pointerup", at));
        return [title === viewer.pick.textContent, viewer.pick.textContent.split("\\n")[0], viewer.picked];
        """,
    )

    assert said == [True, "process 0: propose x", 0]


def test_data_that_cannot_be_unpacked_leave_the_drawing_that_needs_no_script(
    store: Path, tmp_path: Path
) -> None:
    page = tmp_path / "damaged.html"
    source = (store / PAGES[2]).read_text()
    page.write_text(re.sub(r'(id="view-data">)[^<]*', r"\1AAAA", source))

    dom = _browse(page, tmp_path, "--virtual-time-budget=5000", "--dump-dom").stdout

    assert '<div class="viewer" hidden="">' in dom
    assert 'class="viewed"' not in dom


def test_the_script_unpacks_what_was_packed(store: Path, tmp_path: Path) -> None:
    page = store / PAGES[2]
    view = unpacked(page.read_text())
    names = [*OP_COLUMNS, "sent", "took"]

    said = _acted_with_viewer(
        page, tmp_path, f"return {json.dumps(names)}.map((name) => [...viewer.v[name]]);"
    )

    assert said == [view[name] for name in names]


def test_a_page_can_be_read_without_scripts(store: Path, tmp_path: Path) -> None:
    page = tmp_path / "plain.html"
    page.write_text(re.sub(r"<script>.*?</script>", "", (store / PAGES[2]).read_text(), flags=re.DOTALL))

    dom = _browse(page, tmp_path, "--dump-dom").stdout

    assert re.search(r'<button type="button" class="copy" hidden="">', dom)
    assert "process 0 was told 'x', process 1 was told 'y'" in dom


def test_the_policy_stops_whatever_slipped_in(store: Path, tmp_path: Path) -> None:
    page = tmp_path / "hostile.html"
    attack = "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
    page.write_text((store / PAGES[2]).read_text().replace("<main", f"{attack}<main"))

    browsed = _browse(page, tmp_path, "--dump-dom")

    assert "<title>broken</title>" not in browsed.stdout
    assert "Content Security Policy" in browsed.stderr


def _browse(page: Path, profile: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile / 'profile'}", *flags, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def _watch(page: Path, folder: Path) -> tuple[list[str], list[str]]:
    """What a page has written to the console, and what it asked the network for."""
    log = folder / "net.json"
    browsed = _browse(page, folder, f"--log-net-log={log}", "--dump-dom")
    started = [
        event["params"] for event in json.loads(log.read_text())["events"] if "url" in event.get("params", {})
    ]
    # What the browser wants for itself is initiated by no page.
    requests = [
        params["url"]
        for params in started
        if params.get("initiator", "not an origin") != "not an origin"
        and not params["url"].startswith("file:")
    ]
    return [line for line in browsed.stderr.splitlines() if "CONSOLE" in line], sorted(set(requests))


def _acted(page: Path, folder: Path, act: str) -> Any:
    """What a script of ours, run in a page, returns. The policy would keep it from running, and goes."""
    source = _without_policy(page.read_text())
    script = f"<script>document.title = JSON.stringify((() => {{ {act} }})())</script>"
    acted = folder / "acted.html"
    acted.write_text(source.replace("</body>", f"{script}</body>"))
    dom = _browse(acted, folder, "--dump-dom").stdout
    return json.loads(html.unescape(re.findall(r"<title>(.*?)</title>", dom)[0]))


def _acted_with_viewer(page: Path, folder: Path, act: str) -> Any:
    """As `_acted`, when the viewer is ready, which the script has as `viewer`."""
    source = _without_policy(page.read_text())
    script = """<script>
    const wait = setInterval(() => {
      const { viewer } = document.querySelector(".viewer");
      if (!viewer) return;
      clearInterval(wait);
      document.title = JSON.stringify((() => { ACT })());
    }, 5);
    </script>""".replace("ACT", act)
    acted = folder / "acted.html"
    acted.write_text(source.replace("</body>", f"{script}</body>"))
    # Time that passes only when nothing is left to do: however slow the machine, the viewer gets ready.
    dom = _browse(acted, folder, "--virtual-time-budget=10000", "--dump-dom").stdout
    return json.loads(html.unescape(re.findall(r"<title>(.*?)</title>", dom)[0]))


def _without_policy(source: str) -> str:
    return re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", source)


def _measuring(page: Path, width: int) -> str:
    """A frame of this width around a page that says in its title how wide it came to be.

    Its policy would keep it from saying so, and goes.
    """
    measure = "document.title = document.documentElement.scrollWidth + ' of ' + innerWidth"
    source = _without_policy(page.read_text())
    probe = page.with_suffix(f".{width}.html")
    probe.write_text(source.replace("</body>", f"<script>{measure}</script></body>"))
    return f'<iframe src="{probe.as_uri()}" width="{width}" height="900" style="border:0"></iframe>'


def _look_at(png: Path) -> tuple[set[bytes], int]:
    """The different rows of a picture, as they are packed, and the lightness of its last pixel's red.

    Rows are packed as differences, so that equal ones in a row make equal bytes.
    """
    data, at, packed = png.read_bytes(), 8, b""
    width, depth = 0, 3
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        content = data[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, depth = int.from_bytes(content[:4], "big"), {2: 3, 6: 4}[content[9]]
        elif kind == b"IDAT":
            packed += content
        at += size + 12
    raw, stride = zlib.decompress(packed), 1 + width * depth
    rows = [raw[start : start + stride] for start in range(0, len(raw), stride)]
    red = 0
    for row in rows:
        # The leftmost pixel has no left neighbour, so each filter leaves it plain or above's difference.
        above = {0: 0, 1: 0, 2: red, 3: red // 2, 4: red}[row[0]]
        red = (row[1] + above) % 256
    return set(rows), red
