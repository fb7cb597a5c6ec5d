"""Keys and values of any shape: lists and maps as keys of objects, and as keys of maps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ostrakon.checkers.linearizability import linearizable
from ostrakon.harness.commands.check import check
from ostrakon.harness.history import History, read_any


def _read(folder: Path, *lines: str) -> History:
    path = folder / "history.edn"
    path.write_text("\n".join(lines))
    return read_any(path).history


WRITE = (
    "{:process 0, :type :invoke, :f :write, :value [%s 5]}",
    "{:process 0, :type :ok, :f :write, :value [%s 5]}",
    "{:process 1, :type :invoke, :f :read, :value [%s nil]}",
    "{:process 1, :type :ok, :f :read, :value [%s %s]}",
)


@pytest.mark.parametrize("key", ["[:table 1]", "{:table 1}", "[[1 true] nil]", "1.0", "true", "#{:a}"])
@pytest.mark.parametrize(("answer", "valid"), [("5", "valid"), ("nil", "invalid")])
def test_an_object_may_have_a_compound_key(tmp_path: Path, key: str, answer: str, valid: str) -> None:
    lines = [line % key for line in WRITE[:3]]

    history = _read(tmp_path, *lines, WRITE[3] % (key, answer))

    assert linearizable(history, "keyed-register").valid == valid


def test_a_map_as_the_key_of_a_map_is_a_value_like_others(tmp_path: Path) -> None:
    path = tmp_path / "history.edn"
    path.write_text(
        "{:type :info, :process :nemesis, :f :x, :value {{:a 1} 2}}\n"
        "{:type :invoke, :process 0, :f :write, :value {{:a [1 2]} #{3}}}\n"
        "{:type :ok, :process 0, :f :write, :value {{:a [1 2]} #{3}}}\n"
        "{:type :invoke, :process 1, :f :read, :value nil}\n"
        "{:type :ok, :process 1, :f :read, :value {{:a [1 3]} #{3}}}\n"
    )

    result = CliRunner().invoke(check, [str(path), "--model", "register", "--json"], standalone_mode=False)
    told = json.loads(result.output)

    assert told["valid"] is False
    assert told["anomalies"][0]["ops"][-1]["value"] == {'{"a":[1,3]}': [3]}
