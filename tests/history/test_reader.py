"""A history file is read in whatever format it has; damage is told by its line."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path

import pytest

from ostrakon.harness.history import DamagedFile, History, Journal, Op, read_any, read_columns, read_history
from ostrakon.harness.history.reader import NoHistory

SHARED = Path(__file__).parents[3] / "shared" / "data" / "histories"

OURS = '{"index":0,"time":5,"type":"invoke","process":0,"f":"read","value":null}\n'
EDN = """[{:type :invoke, :f :read, :value nil, :process 0, :time 5}
 {:type :ok, :f :read, :value 3, :process 0}]
"""
JSON = """[{"type":"invoke","f":"cas","value":[1,2],"process":3,"index":7},
{"type":":fail","f":":cas","value":[1,2],"process":3}]"""
ETCD = """INFO  jepsen.util - 0  :invoke  :write  4
INFO  jepsen.util - :nemesis  :info :start  nil
INFO  jepsen.util - 1  :invoke  :cas [4 2]
INFO  jepsen.util - 1  :fail  :cas [4 2]
INFO  jepsen.util - 0  :info  :write  :timed-out
"""
KV = """{:process 0, :type :invoke, :f :get, :key "1", :value nil}
{:process 0, :type :ok, :f :get, :key "1", :value "x 0 1 y"}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "history"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "format", "fail_means"),
    [
        (OURS, "ostrakon", "did not happen"),
        (EDN, "jepsen-edn", "did not happen"),
        ("; a comment\n" + EDN, "jepsen-edn", "did not happen"),
        (JSON, "jepsen-json", "did not happen"),
        (JSON.strip("[]").replace("},", "}"), "jepsen-json", "did not happen"),
        (ETCD, "porcupine-etcd", "compared unequal"),
        (KV, "porcupine-kv", "did not happen"),
        ("", "ostrakon", "did not happen"),
        ("[]", "jepsen-json", "did not happen"),
        ("()", "jepsen-edn", "did not happen"),
    ],
)
def test_the_format_is_told_by_how_the_file_begins(
    tmp_path: Path, text: str, format: str, fail_means: str
) -> None:
    recording = read_any(written(tmp_path, text))

    assert recording.format == format
    assert recording.fail_means == fail_means
    assert [op.index for op in recording.history] == list(range(len(recording.history)))


def test_jepsens_ops_become_ours(tmp_path: Path) -> None:
    assert read_any(written(tmp_path, EDN)).history == History(
        [Op(0, 5, "invoke", 0, "read"), Op(1, 1, "ok", 0, "read", 3)]
    )
    assert read_any(written(tmp_path, JSON)).history == History(
        [Op(0, 0, "invoke", 3, "cas", [1, 2]), Op(1, 1, "fail", 3, "cas", [1, 2])]
    )


def test_times_are_read_whatever_stands_before_them(tmp_path: Path) -> None:
    text = "[{:process 0, :type :invoke, :f :read, :value nil, :time\t70}]"

    assert read_any(written(tmp_path, text)).history[0].time == 70


def test_porcupines_ops_become_ours(tmp_path: Path) -> None:
    etcd, kv = read_any(written(tmp_path, ETCD)).history, read_any(written(tmp_path, KV)).history

    assert [(op.process, op.type, op.f, op.value, op.error) for op in etcd] == [
        (0, "invoke", "write", 4, None),
        ("nemesis", "info", "start", None, None),
        (1, "invoke", "cas", [4, 2], None),
        (1, "fail", "cas", [4, 2], None),
        (0, "info", "write", None, "timed-out"),
    ]
    assert [(op.f, op.value) for op in kv] == [("get", ["1", None]), ("get", ["1", "x 0 1 y"])]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("hello\n", 1, "expected a history"),
        (OURS + '{"index":1,"time":"late"}\n', 2, "time: expected `int`, got `str`"),
        (OURS.replace("invoke", "invok"), 1, "type is 'invok', expected one of invoke, ok, fail, info"),
        (OURS.replace("null", "[" * 5000 + "]" * 5000), 1, "lists within lists"),
        (EDN.replace("3", "[" * 5000 + "]" * 5000), 2, "lists within lists"),
        (OURS + OURS, 2, "index is 0, expected 1"),
        (OURS[:-10], 1, "not an op in JSON"),
        (EDN.replace(":ok", ":okay"), 2, "type is 'okay', expected one of invoke, ok, fail, info"),
        (EDN.replace(":process 0}]", ":process :n1}]"), 2, "process is 'n1', expected an integer or nemesis"),
        (EDN.replace(":time 5", ":time :noon"), 1, "time is 'noon', expected nanoseconds"),
        ("[{:type :invoke}\n 7]", 2, "expected an op, a map"),
        (JSON.replace(":3}]", ':"x"}]'), 2, "process is 'x', expected an integer or nemesis"),
        ('{"type":"ok"}\n\n{"type":"ok"', 3, "JSON"),
        ("[{:type :ok, :process true}]", 1, "process is True, expected an integer or nemesis"),
        ("[{:type :ok, :time true}]", 1, "time is True, expected nanoseconds"),
        (EDN.replace(":value 3", f":value {'3' * 5000}"), 2, "a number of more digits than can be read"),
        (JSON.replace(":3}]", f":{'3' * 5000}}}]"), 2, "a number of more digits than can be read"),
        (JSON.replace(":3}]", ":NaN}]"), 2, "expected an op in JSON: NaN is no value of JSON"),
        (JSON.replace(":3}]", f":{'[' * 5000 + ']' * 5000}}}]"), 2, "lists within lists"),
        (JSON[:-1], 2, "breaks off"),
        (JSON[:-20], 2, "expected an op in JSON"),
        (ETCD + "INFO  jepsen.util - what\n", 6, "expected `INFO  jepsen.util - PROCESS"),
    ],
)
def test_damage_is_told_with_its_line_and_what_was_expected(
    tmp_path: Path, text: str, line: int, why: str
) -> None:
    with pytest.raises(DamagedFile, match=why) as caught:
        read_any(written(tmp_path, text))

    assert caught.value.line == line


@pytest.mark.parametrize("text", [OURS, EDN, JSON, JSON.strip("[]").replace("},", "}"), ETCD, KV])
def test_a_mark_of_byte_order_and_ends_of_lines_of_other_systems_make_no_difference(
    tmp_path: Path, text: str
) -> None:
    there = tmp_path / "there"
    there.write_bytes(codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode())

    assert read_any(there) == read_any(written(tmp_path, text))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (gzip.compress(OURS.encode()), "this is compressed by gzip: unpack it first"),
        (OURS.encode("utf-16"), "this is text in UTF-16: convert it to UTF-8 first"),
        (b"\x7fELF\0\0\1", "expected a history: .*; found bytes that are no text"),
    ],
    ids=["gzip", "UTF-16", "program"],
)
def test_what_is_no_history_from_the_beginning_is_not_called_damaged(
    tmp_path: Path, data: bytes, why: str
) -> None:
    path = tmp_path / "history"
    path.write_bytes(data)

    with pytest.raises(NoHistory, match=why):
        read_any(path, keep_undamaged=True)


@pytest.mark.parametrize(
    "text", [OURS + OURS.replace(":0", ":1").replace("read", "\xe9"), EDN.replace("3", '"\xe9"')]
)
def test_bytes_that_are_no_text_are_damage(tmp_path: Path, text: str) -> None:
    path = tmp_path / "history"
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(DamagedFile, match="line 2: byte 0xe9 is not part of a text in UTF-8"):
        read_any(path)
    assert len(read_any(path, keep_undamaged=True).history) == 1


@pytest.mark.parametrize(
    "text", [OURS + OURS[:-10], EDN[:-10], JSON[:-10], ETCD + "INFO what", KV + "{:process"]
)
def test_a_file_that_breaks_off_is_read_up_to_there_when_asked_to(tmp_path: Path, text: str) -> None:
    with pytest.raises(DamagedFile):
        read_any(written(tmp_path, text))

    history = read_any(written(tmp_path, text), keep_undamaged=True).history
    assert [op.type for op in history[:1]] == ["invoke"]


def test_a_damage_is_found_wherever_a_file_of_several_pieces_has_it(tmp_path: Path) -> None:
    path, ops = tmp_path / "history.jsonl", 30_000
    with Journal(path, flush_every=1000) as journal:
        for index in range(ops):
            journal.write(Op(index, index, "invoke", index, "write", "x" * 50))
    assert len(read_history(path)) == len(read_columns(path)) == ops

    lines = path.read_bytes().splitlines(keepends=True)
    for line in (1, ops // 2, ops):
        broken = [*lines[: line - 1], b"{}\n", *lines[line:]]
        path.write_bytes(b"".join(broken))
        with pytest.raises(DamagedFile, match=f"line {line}: "):
            read_history(path)
        assert len(read_history(path, keep_undamaged=True)) == line - 1


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no recorded histories in {SHARED}")
def test_every_recorded_history_is_read() -> None:
    files = sorted([*SHARED.rglob("*.edn"), *SHARED.rglob("*.json")])

    assert len(files) == 139
    for path in files:
        # One was written by hand, without processes, for operations that overlap.
        assert len(read_any(path, as_is=path.stem == "comments").history) > 0, path


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no recorded histories in {SHARED}")
@pytest.mark.parametrize(
    "name", ["elle/paper-example", "elle/rw-register", "jepsen/counter", "jepsen/set_full"]
)
def test_edn_and_json_of_the_same_history_read_the_same(name: str) -> None:
    edn = read_any(SHARED / "elle-cli" / f"{name}.edn").history
    json = read_any(SHARED / "elle-cli" / f"{name}.json").history

    assert edn == json
