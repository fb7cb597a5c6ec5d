"""A campaign on disk: every seed that was tried, what came of it, and the smallest plan of each failure.

One SQLite file. What was recorded is durable against the end of our process at any moment, and is never
recorded twice: a campaign that goes on after a stop tries the seeds that are missing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from ostrakon.harness.plan import BadPlan, decode_plan, encode_plan
from ostrakon.harness.search.coverage import Coverage
from ostrakon.harness.search.outcome import BranchCount, Outcome, Uses
from ostrakon.harness.search.portfolio import Merit
from ostrakon.harness.search.shape import TransitionCount, Windows
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.search.tally import FailureGroup, Tally

_APPLICATION = 0x4F535452  # "OSTR": says whose file this is, in SQLite's own header.
_VERSION = 4
_SCHEMA = (
    "CREATE TABLE campaign (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE trials (
        seed      INTEGER PRIMARY KEY,
        workload  TEXT NOT NULL,
        valid     TEXT NOT NULL,
        reason    TEXT NOT NULL,
        recipe    TEXT NOT NULL,
        virtual_s REAL NOT NULL,
        wall_s    REAL NOT NULL,
        faults    TEXT NOT NULL,   -- {kind: [asked for, of these inert]}
        rerun     INTEGER NOT NULL,
        differs   INTEGER NOT NULL
    )""",
    """CREATE TABLE findings (
        valid  TEXT NOT NULL,
        reason TEXT NOT NULL,
        seed   INTEGER NOT NULL,
        why    TEXT NOT NULL,
        plan   TEXT NOT NULL,      -- the smallest that ended like this
        folder TEXT NOT NULL,
        mended INTEGER NOT NULL,   -- whether that plan does not end like this any more
        shrunk INTEGER NOT NULL,   -- whether that plan is what shrinking made of one
        in_simulation TEXT NOT NULL,  -- whether a failure of the model occurs there too
        PRIMARY KEY (valid, reason)
    )""",
    """CREATE TABLE shapes (
        transition TEXT NOT NULL,
        magnitude  INTEGER NOT NULL,
        trials     INTEGER NOT NULL,
        PRIMARY KEY (transition, magnitude)
    ) WITHOUT ROWID""",
    "CREATE TABLE points (name TEXT PRIMARY KEY, reached INTEGER NOT NULL, fired INTEGER NOT NULL)",
    """CREATE TABLE windows (
        kind   TEXT PRIMARY KEY,
        faults INTEGER NOT NULL,
        quiet  INTEGER NOT NULL,   -- of these, in which clients neither began nor ended anything
        ops    INTEGER NOT NULL
    )""",
    "CREATE TABLE recipes (name TEXT PRIMARY KEY, merit TEXT NOT NULL)",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
)

_DISK_FULL = "the disk is full; what was recorded is intact: make room, then resume"


class BadCampaign(Exception):
    """A campaign cannot be opened or written; the message says what to do."""


class Campaign:
    """The record of one campaign. Opened by `create` or `resume`."""

    def __init__(self, path: Path, database: sqlite3.Connection, swarm: Swarm, first: int) -> None:
        self.path = path
        self.swarm = swarm
        self.first = first
        """The first seed; the others follow it."""
        self._database = database

    @classmethod
    def create(cls, path: Path, swarm: Swarm, first: int) -> Self:
        """A new campaign. Raises: BadCampaign."""
        if path.exists():
            raise BadCampaign(f"{path} exists: resume it, or choose another place")
        with _explained(path):
            database = sqlite3.connect(path)
            _keep_durable(database)
            with database:
                database.execute("BEGIN")  # All of it or nothing: Python begins no transaction for DDL.
                for statement in _SCHEMA:
                    database.execute(statement)
                database.executemany(
                    "INSERT INTO campaign VALUES (?, ?)",
                    [("swarm", msgspec.json.encode(swarm).decode()), ("first", str(first))],
                )
        return cls(path, database, swarm, first)

    @classmethod
    def resume(cls, path: Path) -> Self:
        """A campaign that was begun before. Raises: BadCampaign."""
        if not path.exists():
            raise BadCampaign(f"there is no campaign at {path}")
        with _explained(path):
            database = sqlite3.connect(path)
            try:
                _require_ours(path, database)
                _keep_durable(database)
                stored = dict(database.execute("SELECT name, value FROM campaign"))
                swarm = msgspec.json.decode(stored["swarm"].encode(), type=Swarm)
                return cls(path, database, swarm, int(stored["first"]))
            except (KeyError, ValueError) as error:
                raise BadCampaign(f"{path} is damaged: its parameters cannot be read ({error})") from None
            except BaseException:
                database.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def withdraw(self) -> None:
        """Let go of the file, and remove it if nothing was tried."""
        is_empty = self._database.execute("SELECT count(*) FROM trials").fetchone() == (0,)
        self.close()
        if is_empty:
            self.path.unlink(missing_ok=True)

    def record(
        self,
        outcomes: Sequence[Outcome],
        changed: Iterable[FailureGroup] = (),
        merits: Mapping[str, Merit] | None = None,
    ) -> None:
        """Keep outcomes, the findings they changed and what recipes are worth now; all of it or nothing.

        Raises: BadCampaign.
        """
        with _explained(self.path), self._database:
            self._database.executemany(
                "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", map(self._row, outcomes)
            )
            self._database.executemany(
                "INSERT OR REPLACE INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                map(_finding_row, changed),
            )
            self._cover(outcomes)
            self._database.executemany(
                "INSERT OR REPLACE INTO recipes VALUES (?, ?)",
                [(name, msgspec.json.encode(merit).decode()) for name, merit in (merits or {}).items()],
            )

    def _row(self, outcome: Outcome) -> tuple[object, ...]:
        return (
            outcome.seed,
            self.swarm.workload_of(outcome.seed),
            outcome.valid,
            outcome.reason,
            outcome.recipe,
            outcome.virtual_s,
            outcome.wall_s,
            msgspec.json.encode(outcome.faults).decode(),
            outcome.rerun,
            outcome.differs,
        )

    def _cover(self, outcomes: Iterable[Outcome]) -> None:
        """Add to what the trials have been through."""
        new = Coverage()
        for outcome in outcomes:
            new.add(outcome)
        self._database.executemany(
            "INSERT INTO shapes VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET trials = trials + excluded.trials",
            [(*shape, trials) for shape, trials in new.shapes.items()],
        )
        self._database.executemany(
            "INSERT INTO points VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET"
            " reached = reached + excluded.reached, fired = fired + excluded.fired",
            [(name, *point) for name, point in new.points.items()],
        )
        self._database.executemany(
            "INSERT INTO windows VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " faults = faults + excluded.faults, quiet = quiet + excluded.quiet, ops = ops + excluded.ops",
            [(kind, *window) for kind, window in new.windows.items()],
        )

    def untried(self) -> Iterator[int]:
        """The seeds that are still to be tried, without end: the gaps first. Raises: BadCampaign."""
        with _explained(self.path):
            (tried, last) = self._database.execute("SELECT count(*), max(seed) FROM trials").fetchone()
            gaps = [] if tried == 0 or last - self.first + 1 == tried else self._gaps()
        yield from gaps
        yield from count(self.first if tried == 0 else last + 1)

    def tally(self) -> Tally:
        """The count of all that was recorded. Raises: BadCampaign."""
        with _explained(self.path):
            return self._tally()

    def _gaps(self) -> list[int]:
        gaps: list[int] = []
        expected = self.first
        for (seed,) in self._database.execute("SELECT seed FROM trials ORDER BY seed"):
            gaps.extend(range(expected, seed))
            expected = seed + 1
        return gaps

    def _tally(self) -> Tally:
        query = self._database.execute
        virtual_s, wall_s, reruns = query(
            "SELECT total(virtual_s), total(wall_s), sum(rerun) FROM trials"
        ).fetchone()
        workloads: dict[str, Counter[str]] = {}
        for workload, valid, trials in query(
            "SELECT workload, valid, count(*) FROM trials GROUP BY workload, valid"
        ):
            workloads.setdefault(workload, Counter())[valid] = trials
        by_recipe = list(query("SELECT recipe, count(*), sum(valid = 'invalid') FROM trials GROUP BY recipe"))
        faults = query(
            "SELECT key, sum(json_extract(value, '$[0]')), sum(json_extract(value, '$[1]'))"
            " FROM trials, json_each(trials.faults) GROUP BY key"
        )
        return Tally(
            verdicts=Counter(dict(query("SELECT valid, count(*) FROM trials GROUP BY valid"))),
            workloads=workloads,
            recipes=Counter({recipe: trials for recipe, trials, _ in by_recipe}),
            convictions=Counter({recipe: convicted for recipe, _, convicted in by_recipe}),
            faults={kind: Uses(asked, inert) for kind, asked, inert in faults},
            virtual_s=virtual_s,
            wall_s=wall_s,
            reruns=reruns or 0,
            divergent=[seed for (seed,) in query("SELECT seed FROM trials WHERE differs ORDER BY seed")],
            findings={(finding.valid, finding.reason): finding for finding in self._findings()},
            coverage=self._coverage(),
            merits={
                name: msgspec.json.decode(merit.encode(), type=Merit)
                for name, merit in query("SELECT name, merit FROM recipes ORDER BY name")
            },
        )

    def _coverage(self) -> Coverage:
        query = self._database.execute
        return Coverage(
            Counter(
                {
                    TransitionCount(transition, magnitude): trials
                    for transition, magnitude, trials in query("SELECT * FROM shapes")
                }
            ),
            {name: BranchCount(*counts) for name, *counts in query("SELECT * FROM points")},
            {kind: Windows(*counts) for kind, *counts in query("SELECT * FROM windows")},
        )

    def _findings(self) -> Iterator[FailureGroup]:
        counts = {
            (valid, reason): trials
            for valid, reason, trials in self._database.execute(
                "SELECT valid, reason, count(*) FROM trials WHERE valid != 'valid' GROUP BY valid, reason"
            )
        }
        for valid, reason, seed, why, text, folder, mended, shrunk, told in self._database.execute(
            "SELECT valid, reason, seed, why, plan, folder, mended, shrunk, in_simulation FROM findings"
            " ORDER BY valid, reason"
        ):
            source = f"the plan of seed {seed} in {self.path}"
            trials = counts[valid, reason]
            try:
                plan = decode_plan(text.encode(), source)
            except BadPlan as error:
                raise BadCampaign(f"this campaign cannot go on: {error}") from None
            yield FailureGroup(
                valid, reason, trials, seed, why, plan, folder, bool(shrunk), told, bool(mended)
            )


def fresh_path(store: Path, name: str) -> Path:
    """Where a new campaign of this name goes: `campaigns/NAME-N.sqlite`, with a number not used before."""
    folder = store / "campaigns"
    folder.mkdir(parents=True, exist_ok=True)
    return next(path for number in count(1) if not (path := folder / f"{name}-{number}.sqlite").exists())


def newest_path(store: Path) -> Path:
    """The campaign that was written to last. Raises: BadCampaign, when there is none."""
    paths = sorted(store.glob("campaigns/*.sqlite"), key=_written_ns)
    if not paths:
        raise BadCampaign(f"there is no campaign in {store} to resume: begin one without --resume")
    return paths[-1]


def _written_ns(path: Path) -> int:
    # What a process that was killed wrote last is in the log beside the file.
    log = path.with_name(f"{path.name}-wal")
    return max(file.stat().st_mtime_ns for file in (path, log) if file.exists())


@contextmanager
def sole_use(store: Path) -> Iterator[None]:
    """Keep other soaks off a store, for as long as this process lives at most. Raises: BadCampaign."""
    with _explained(store):
        store.mkdir(parents=True, exist_ok=True)
        lock = open(store / ".soak.lock", "a+")  # noqa: SIM115 - held open below, for as long as we live
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise BadCampaign(
                f"another soak (process {file.read().strip() or 'unknown'}) is at work in {store}: "
                "wait until it ends, or name another store"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _keep_durable(database: sqlite3.Connection) -> None:
    # In WAL mode this survives our own death at any moment, and the machine's without damage.
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")


def _require_ours(path: Path, database: sqlite3.Connection) -> None:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION:
        raise BadCampaign(f"{path} is an SQLite file, but not a campaign")
    if version != _VERSION:
        raise BadCampaign(
            f"{path} is a campaign of format {version}, this version reads format {_VERSION}: "
            "resume it with the version that began it, or begin a new one"
        )


def _finding_row(f: FailureGroup) -> tuple[object, ...]:
    plan = encode_plan(f.plan).decode()
    return f.valid, f.reason, f.seed, f.why, plan, f.folder, f.mended, f.shrunk, f.in_simulation


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite or the system complains of into a sentence that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise BadCampaign(f"{path}: {_advice(error)}") from error
    except OSError as error:
        advice = _DISK_FULL if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise BadCampaign(f"{path}: {advice}") from error


def _advice(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        return _DISK_FULL
    if name.startswith("SQLITE_NOTADB"):
        return "this is not a campaign, nor an SQLite file at all"
    if name.startswith("SQLITE_CORRUPT") or "malformed" in str(error):
        return (
            "the file is damaged, perhaps cut short; `sqlite3 FILE .recover` saves what can be saved, "
            "or begin a new campaign"
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return f"the file cannot be written here ({error}): name another store"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "another program is writing to the file: wait until it ends"
    return f"the campaign cannot be read or written ({error})"
