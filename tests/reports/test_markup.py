from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from ostrakon.reports.markup import element, join
from tests.reports.reading import svg


def test_text_is_escaped_and_markup_is_not() -> None:
    made = element("p", "<b>", element("i", "&"))

    assert made == "<p>&lt;b&gt;<i>&amp;</i></p>"


def test_attributes_are_written_as_html_has_them() -> None:
    made = element("rect", class_="a", stroke_width=1.25, hidden=True, id=None, open=False, title='"')

    assert made == '<rect class="a" stroke-width="1.2" hidden title="&#34;"></rect>'


def test_what_is_none_is_left_out() -> None:
    assert join(["a", None, Markup("<b>")]) == "a<b>"


@given(st.text(), st.text())
def test_whatever_is_put_in_comes_out_as_text_and_never_as_an_element(content: str, value: str) -> None:
    made = svg(
        element("text", content, data_value=value.replace("\x00", ""))
        if value.isprintable()
        else element("text", content)
    )

    assert len(made) == 0
