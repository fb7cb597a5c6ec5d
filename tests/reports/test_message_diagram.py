from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.history.message import Message
from ostrakon.reports.bands import Band
from ostrakon.reports.message_diagram import around, draw
from tests.reports.reading import classed, svg, texts, titles
from tests.reports.samples import MS, ops, trace

MESSAGES = [
    Message("clients", "n1", 1 * MS, 2 * MS, 7, "write 1"),
    Message("n1", "n2", 3 * MS, None, 4, "copy 1"),
    Message("n1", "clients", 4 * MS, 5 * MS, 2, "ok"),
]
OPS = list(ops((0, "invoke", 0, "write", 1), (6, "ok", 0, "write", 1)))


def test_every_message_is_an_arrow_from_sender_to_receiver_with_its_text() -> None:
    drawing = draw(MESSAGES, ops=OPS)

    assert len(classed(drawing.svg, "arrow")) == 2
    assert {"write 1", "copy 1", "ok", "0 invoke write 1", "0 ok write 1"} <= set(texts(drawing.svg))
    assert [who.text for who in classed(drawing.svg, "who")][::2] == ["clients", "n1", "n2"]
    assert drawing.summary == (
        "3 messages, 1 of which never arrived, between 3 lanes (clients, n1, n2), "
        "from 0.001000 s to 0.005000 s."
    )


def test_a_message_that_never_arrived_is_crossed_out_and_says_so() -> None:
    drawing = draw(MESSAGES)

    assert len(classed(drawing.svg, "stub")) == 1
    assert "n1 → n2: copy 1, 4 bytes\nsent at 0.003000 s, never arrived" in titles(drawing.svg)


def test_faults_are_drawn_where_they_begin_and_end() -> None:
    drawing = draw(MESSAGES, [Band("kill", 2 * MS + 1, 4 * MS + 1, "n1", ("n1",))])

    assert [text for text in texts(drawing.svg) if "kill" in text] == ["kill: n1 begins", "kill: n1 ends"]
    assert len(classed(drawing.svg, "stopped")) == 1


def test_what_a_node_noted_meanwhile_is_drawn_on_its_lane() -> None:
    notes = trace(
        (2, "n1", "leading", {"detail": {"term": 3, "by": "votes"}}),
        (99, "n1", "leading", {"detail": {"term": 4}}),
    )

    drawing = draw(MESSAGES, events=notes)

    assert [text for text in texts(drawing.svg) if "leading" in text] == ["leading term=3 by=votes"]


def test_without_messages_there_is_nothing_to_draw() -> None:
    assert (draw([]).svg, draw([]).summary) == ("", "No message was recorded.")


def test_a_message_of_which_nobody_knows_more_than_its_size_shows_that() -> None:
    assert "9 bytes" in texts(draw([Message("a", "b", 0, 1, 9)]).svg)


def test_of_many_messages_those_around_the_witness_are_drawn() -> None:
    many = [Message("n1", "n2", n * MS, n * MS + 1, 1, str(n)) for n in range(1_000)]
    late = list(ops((700, "invoke", 0, "read", None), (702, "ok", 0, "read", 3)))

    drawing = draw(many, ops=late, limit=5)

    assert [message.text for message in around(many, late, 5)] == ["699", "700", "701", "702", "703"]
    assert drawing.note == "5 of 1,000 messages are drawn, those around the witness."


@given(
    st.lists(
        st.builds(
            Message,
            st.sampled_from(["n1", "n2", "<b>"]),
            st.sampled_from(["n1", "n3", "clients"]),
            st.integers(0, 100),
            st.none() | st.integers(100, 200),
            st.none() | st.integers(0, 9),
            st.text(max_size=30),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_any_messages_can_be_drawn(messages: list[Message]) -> None:
    drawing = draw(messages)

    assert len(classed(drawing.svg, "leaves")) == len(messages)
    assert svg(drawing.svg).tag == "svg"
