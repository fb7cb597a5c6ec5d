"""How large a page of 100,000 operations is, and how soon a browser shows them all.

`python -m bench.pages` needs Debian's `chromium`. The time counts from the start of the navigation to the end
of the first painting; the same for an empty page is printed beside it, since a busy machine slows both.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Journal, Op
from ostrakon.reports import run

OPS, PROCESSES, KEYS = 100_000, 20, 200
CHROMIUM = shutil.which("chromium")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
_WAIT_S = 60.0
_TELL = "console.log('SHOWN ' + Math.round(performance.now()))"
_VIEWER_SHOWN = """const wait = setInterval(() => {
  const { viewer } = document.querySelector(".viewer");
  if (viewer) { clearInterval(wait); viewer.paint(); TELL; }
}, 5);""".replace("TELL", _TELL)


def main() -> int:
    """Returns the exit status; without a browser there is nothing to measure."""
    if CHROMIUM is None:
        print("there is no chromium here: apt-get install chromium brings it")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        begun = time.process_time()
        page = run.render(_recorded(folder))
        print(f"{OPS:,} operations: {page.stat().st_size / 1e6:.2f} MB, made in", end=" ")
        print(f"{time.process_time() - begun:.1f} CPU s, recording included")
        empty = folder / "empty.html"
        empty.write_text(f"<!doctype html><title>empty</title><script>onload = () => {_TELL}</script>")
        # The page's policy would keep a script of ours from running, and goes.
        source = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
        page.write_text(source.replace("</body>", f"<script>{_VIEWER_SHOWN}</script></body>"))
        for name, path in (("empty page", empty), ("this page", page)):
            print(f"{name}: shown after {min(_shown_ms(path, folder) for _ in range(3))} ms")
    return 0


def _recorded(folder: Path) -> Path:
    """A run folder with many operations on many keys, one of which is said to be wrong."""
    rng = random.Random(1)
    free_ns = [0] * PROCESSES
    entries: list[tuple[int, str, int, str, list[int | None]]] = []
    for number in range(OPS):
        process = min(range(PROCESSES), key=free_ns.__getitem__)
        begin = free_ns[process] + rng.randrange(1_000_000, 5_000_000)
        free_ns[process] = begin + rng.randrange(500_000, 8_000_000)
        key, f = rng.randrange(KEYS), rng.choice(("read", "write"))
        entries.append((begin, "invoke", process, f, [key, None if f == "read" else number]))
        end = rng.choices(("ok", "fail"), (92, 8))[0]
        entries.append((free_ns[process], end, process, f, [key, rng.randrange(number + 1)]))
    entries.sort(key=lambda entry: entry[0])
    ops = [
        Op(index, at, kind, process, f, value)  # type: ignore[arg-type]
        for index, (at, kind, process, f, value) in enumerate(entries)
    ]
    with Journal(folder / "history.jsonl", flush_every=10_000) as journal:
        for op in ops:
            journal.write(op)
    verdict = Verdict.of([Anomaly("wrong", "for the bench", (ops[OPS],))]).to_json()
    results = {"valid": False, "why": "for the bench", "verdict": verdict}
    (folder / "results.json").write_bytes(msgspec.json.encode(results))
    return folder


def _shown_ms(page: Path, folder: Path) -> int:
    assert CHROMIUM is not None
    profile = tempfile.mkdtemp(dir=folder)
    flags = (*FLAGS, "--enable-logging=stderr", "--remote-debugging-port=0", f"--user-data-dir={profile}")
    browser = subprocess.Popen([CHROMIUM, *flags, page.as_uri()], stderr=subprocess.PIPE, text=True)
    try:
        assert browser.stderr is not None
        until = time.monotonic() + _WAIT_S
        for line in browser.stderr:
            if found := re.search(r"SHOWN (\d+)", line):
                return int(found[1])
            assert time.monotonic() < until, "the browser shows nothing"
    finally:
        browser.terminate()
        browser.wait()
    raise AssertionError("the browser ended before it had shown the page")


if __name__ == "__main__":
    sys.exit(main())
