from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as some

from odpipeline.portal.sparklines import HEIGHT, WIDTH, Point, sparkline

POINTS = some.lists(
    some.builds(
        Point, some.text(max_size=3), some.none() | some.floats(-1e12, 1e12, allow_nan=False) | some.integers(0, 9),
        some.booleans(),
    ),
    max_size=30,
)  # fmt: skip


@given(points=POINTS, words=some.text(some.characters(exclude_categories=("Cs", "Cc")), max_size=20))
def test_a_line_stays_in_its_frame_and_says_itself_in_words(points, words):
    drawn = str(sparkline(points, words))
    if len(points) < 2:
        assert drawn == ""
        return
    svg = ElementTree.fromstring(drawn)
    assert svg.get("role") == "img"
    assert svg.findtext("title") == words
    line = svg.find("polyline").get("points").split()
    for point in line:
        x, y = map(float, point.split(","))
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
    known = [point for point in points if point.value is not None]
    assert len(line) == len(known)
    assert len(svg.findall("circle")) == sum(not point.held for point in known)


def test_words_are_escaped():
    assert "<script>" not in sparkline([Point("1", 0, True), Point("2", 1, False)], "<script>")
