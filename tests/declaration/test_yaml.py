"""The text itself: YAML 1.2, strict, one fault with its line when it cannot be read."""

import re

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from odpipeline.declaration.positions import parse, resolve

UNREADABLE = [
    ("title: a\n\tx: 1\n", 2, "a tab cannot indent; use spaces"),
    ("title: a\nschedule: */5 * * * *\n", 2, 'a value that begins with * must be in quotes, such as "*/5 * * * *"'),
    ("title: *a\n", 1, "a value that begins with * must be in quotes"),
    ("title: a\nowner: @b\n", 2, "put a value that begins with @, `, or % in quotes"),
    ("title: Parkings: places\n", 1, "put a value that holds ': ' in quotes, or mend the indentation"),
    ("title: a\nkey: [a, b\nowner: b\n", 2, "close the list with ]"),
    ("title: 'a\nowner: b\n", 1, "close the quotes; in double quotes write a backslash twice, or use single quotes"),
    ("title: a\n---\ntitle: b\n", 2, "keep one document: remove the line ---"),
    ("title: a\x07\n", 1, "remove the control character"),
    ("[" * 5000, 1, "write it with fewer levels"),
]


@pytest.mark.parametrize(("text", "line", "remedy"), UNREADABLE)
def test_unreadable_yaml_is_one_fault_with_its_line_and_remedy(town, text, line, remedy):
    town.write("assets/mobilite/parkings.yaml", text)
    (fault,) = town.faults()
    assert fault.startswith(f"assets/mobilite/parkings.yaml:{line}: the YAML cannot be read")
    assert fault.endswith(remedy)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the file is empty; write at least the mandatory keys"),
        (b"# nothing\n", "the file is empty; write at least the mandatory keys"),
        (b"- a\n- b\n", "expected keys and values at the top: `title: …`"),
        (b"title: a\nowner: \xe9\n", "the text is not UTF-8; save the file in UTF-8"),
        (b"#" * 1_000_001, "the file is larger than 1,000,000 bytes; a declaration is a short text"),
    ],
)
def test_a_file_that_is_no_declaration(town, content, fault):
    town.write("assets/mobilite/parkings.yaml", content)
    (found,) = town.faults()
    assert found.endswith(fault)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("title: Encore", "the key 'title' stands twice (first on line 1); keep one"),
        ("legal_basis:", "'legal_basis' has no value; give it one or remove it"),
        ("legal_basis: ~", "'legal_basis' has no value; give it one or remove it"),
        ("legal_basis: !!str a", None),
        ("legal_basis: !secret a", "tags (!) are not used in declarations; write the plain value"),
        ("missing_values: [01]", "a number does not begin with 0; put a code in quotes, such as '01'"),
        ("? [a]\n: b", "a key must be a plain word"),
        ("freshness: &a {run: 36 h}\nquality: *a", "aliases (*) are not used in declarations; write the value out"),
    ],
)
def test_what_yaml_allows_and_a_declaration_does_not(town, line, fault):
    town.parkings(("personal_data: none\n", f"personal_data: none\n{line}\n"))
    if fault is None:
        town.read()
    else:
        (found,) = town.faults()
        assert found.startswith("assets/mobilite/parkings.yaml:1")
        assert found.endswith(fault)


def test_a_key_twice_in_one_line_is_found(town):
    town.parkings(("{name: id, type: string}", "{name: id, type: string, type: integer}"))
    assert town.faults() == ["assets/mobilite/parkings.yaml:6: the key 'type' stands twice (first on line 6); keep one"]


def test_a_byte_order_mark_is_no_fault(town):
    path = town.root / "assets/mobilite/parkings.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert town.dataset().title == "Parkings"


@pytest.mark.parametrize("plain", ["oui", "non", "no", "yes", "on", "off", "NO", "2020-01-01", "12:30", "1_000", "0b1"])
def test_yaml_1_2_leaves_these_texts(plain):
    assert resolve(plain) == plain


@pytest.mark.parametrize(
    ("plain", "value"),
    [("true", True), ("False", False), ("12", 12), ("-3", -3), ("0x1F", 31), ("0o17", 15), ("1.5", 1.5), ("1e3", 1e3),
     (".5", 0.5), ("null", None), ("", None)],
)  # fmt: skip
def test_yaml_1_2_resolves_these(plain, value):
    assert resolve(plain) == value
    assert type(resolve(plain)) is type(value)


@given(st.binary(max_size=200))
@example(b"a: " + b"9" * 5000)
@example(b"? a\n? b")
@example(b"&a [*a]")
def test_no_bytes_make_the_reader_fail(content):
    parsed = parse(content)
    assert parsed.data is not None or parsed.faults


# PyYAML writes 0E0 without quotes: YAML 1.1 calls it a text, and YAML 1.2, which we read, a number.
TEXTS = st.text(st.characters(categories=["L", "N", "P"]), max_size=8).filter(
    lambda text: not re.fullmatch(r"[-+]?[0-9]+[eE][-+]?[0-9]+", text)
)
PLAIN = st.recursive(
    st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcdé_", min_size=1), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abcdé_", min_size=1), PLAIN, min_size=1, max_size=4))
def test_what_was_written_is_read(data):
    text = yaml.safe_dump(data, allow_unicode=True, default_style=None)
    parsed = parse(text.encode())
    assert not parsed.faults or any("begin with 0" in what for _, what in parsed.faults)
    assert parsed.data == data or parsed.faults
    for place, line in parsed.lines.items():
        if place and isinstance(place[-1], str) and len(place) == 1:
            assert text.split("\n")[line - 1].lstrip("? ").strip("'\"").startswith(place[0])
