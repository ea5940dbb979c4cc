from __future__ import annotations

import json

import pytest

from trm_edge.report.markup import Markup, element, script_json, to_html


def test_json_cannot_end_its_script_element() -> None:
    data = {"</script>": ["<!--", "&amp;", "\u2028"]}
    text = script_json(data)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == data


def test_json_has_finite_numbers_only() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_json([float("nan")])


def test_text_is_escaped_and_markup_is_not() -> None:
    assert to_html("<b>") == "&lt;b&gt;"
    paragraph = element("p", "<b>", Markup("<b></b>"), class_='"x')
    assert paragraph.html == '<p class="&quot;x">&lt;b&gt;<b></b></p>'


def test_attribute_names_follow_html() -> None:
    assert element("input", aria_label="a", class_="b").html == '<input aria-label="a" class="b">'
