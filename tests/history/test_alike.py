"""What is read quickly is read as it would have been with care, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ostrakon.harness.history.edn import EdnReader
from ostrakon.harness.history.entry import alike, op_of
from ostrakon.harness.history.op import Op


def with_care(text: str) -> list[Op] | None:
    try:
        return [op_of(entry, index) for index, entry in enumerate(EdnReader(text))]
    except ValueError:
        return None


FIELDS = [
    *(f":process {process}" for process in ("0", "17", ":nemesis", ":n1", "-1", "1.5", "2N")),
    *(f":type {kind}" for kind in (":invoke", ":ok", ":info", ":okay")),
    *(f":time {time}" for time in ("5", "70", "-1", ":noon")),
    *(":index 3", ":f :cas", ":f nil", ":error :timeout", "x:process 0", ":process"),
    *(f":value {value}" for value in ("nil", "[1 nil]", "[:process 3]", "{:a 1}", '"}"', "#{1 2}", r"\}")),
]
ops = st.lists(st.sampled_from(FIELDS), max_size=6).map(lambda fields: f"{{{', '.join(fields)}}}")
sensible = st.tuples(
    *(st.sampled_from([field for field in FIELDS[:-2] if field.startswith(name)])
      for name in (":process ", ":type ", ":f ", ":value "))
).map(lambda fields: f"{{{', '.join(fields)}}}")  # fmt: skip
between = st.sampled_from([" ", "\n", ", ", " ; a remark with :process 5 and }\n", " 7 ", "]", "[", ""])
texts = st.builds(
    lambda first, pieces, last: first + "".join(map("".join, pieces)) + last,
    st.sampled_from(["", "[", "(", "; a remark\n[", "[["]),
    st.lists(st.tuples(sensible | ops, between), max_size=6),
    st.sampled_from(["", "]", ")", "}", " ] "]),
)


@given(texts)
@example("[{:process 0, :type :invoke}")
@example("{:process 0, :type :invoke}} {:process 1, :type :ok}")
@example("{:process 0, :process 1, :type :invoke} {:type :ok}")
def test_what_is_read_quickly_is_what_stands_there(text: str) -> None:
    assert (quick := alike(text)) is None or list(quick) == with_care(text)


@pytest.mark.parametrize("process", ["0", "17", ":nemesis"])
@pytest.mark.parametrize(
    "fields", ["", ", :time 5", ", :index 7, :time 70, :error [:a 1]", ", ; a remark about {}\n :time 3"]
)
@pytest.mark.parametrize("around", ["{}", "[{}]", "; a remark\n({}\n)"])
def test_ops_are_read_quickly_that_differ_only_in_their_process_and_times(
    process: str, fields: str, around: str
) -> None:
    lines = [
        f"{{:type :{kind}, :process {process}, :f :cas, :value [1 nil]{fields}}}" for kind in ("invoke", "ok")
    ]
    text = around.replace("{}", "\n ".join(lines))

    assert list(alike(text) or ()) == with_care(text) != []
