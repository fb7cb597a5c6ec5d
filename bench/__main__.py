"""Run every bench, one after the other, each in a process of its own: `python -m bench [NAME ...]`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Returns the worst exit status of the benches that ran."""
    known = sorted(file.stem for file in HERE.glob("*.py") if not file.stem.startswith("_"))
    wanted = sys.argv[1:] or known
    if strangers := [name for name in wanted if name not in known]:
        print(
            f"there is no bench called {', '.join(strangers)}; there are {', '.join(known)}", file=sys.stderr
        )
        return 254
    worst = 0
    for name in wanted:
        print(f"\n== {name}", flush=True)
        worst = max(
            worst, subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=HERE.parent).returncode
        )
    return worst


if __name__ == "__main__":
    sys.exit(main())
