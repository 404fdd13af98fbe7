"""Hierarchy files are there, as wide on every line, and nested; no message repeats what they hold."""

import pytest

BROKEN = [
    ("1;a\n2;a;A\n", "iris.csv:2 has 3 values and the first line has 2; give every line as many"),
    ("1\n2\n", "iris.csv:1 has no level above the leaf; write `leaf;level 1;…` on each line"),
    ("1;a;A\n2;a;B\n",
     ("iris.csv:2 and line 1 share level 1 but not level 2; a hierarchy must be nested: what shares a "
      "level shares every "
     "coarser one")),
    ("1;a\n1;b\n", "iris.csv:2 repeats the leaf of line 1; give each leaf one line"),
    ("", "iris.csv is empty; write one line for each leaf"),
    (b"1;\xe9\n", "iris.csv is not UTF-8; save it in UTF-8"),
    ('1;"a\n2;b\n', ("iris.csv cannot be read (unexpected end of data); part the values by semicolons and close the "
                    "quotes")),
]  # fmt: skip


@pytest.mark.parametrize(("content", "message"), BROKEN, ids=[message[:40] for _, message in BROKEN])
def test_a_broken_hierarchy(town, content, message):
    town.aides()
    town.write("iris.csv", content)
    assert town.faults() == [f"assets/social/aides.yaml:12: {message}"]


def test_a_missing_hierarchy(town):
    town.aides(("iris.csv", "hierarchies/iris.csv"))
    assert town.faults() == [
        (
            "assets/social/aides.yaml:12: there is no file hierarchies/iris.csv; write it, or correct "
            "the path (relative to "
            "the town)"
        )
    ]


def test_a_hierarchy_does_not_come_from_outside_the_town(town):
    (town.root.parent / "iris.csv").write_text("1;a\n")
    town.aides(("iris.csv", "../iris.csv"))
    assert town.faults()[0].endswith(
        "../iris.csv is outside the town; move the file into it, and write its path relative to town.yaml"
    )


def test_a_level_that_is_not_there(town):
    town.aides(("hierarchy: iris.csv", "hierarchy: iris.csv, level: 3"))
    assert town.faults() == ["assets/social/aides.yaml:12: iris.csv has 2 level(s) above the leaf; choose one of them"]


def test_the_last_level_is_there(town):
    town.aides(("hierarchy: iris.csv", "hierarchy: iris.csv, level: 2"))
    assert town.dataset("aides").privacy.columns["iris"].generalise.level == 2


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("{hierarchy: age, level: 5}", "age has 4 level(s) above the leaf; choose one of them"),
        ("{hierarchy: naf}", "the hierarchy naf is for string, and 'age' is integer"),
        ("{hierarchy: ages}", ("there is no file ages; write it, or correct the path (relative to the town); without "
                               "a file there are age, date, naf, csp, iris, commune")),
    ],
)  # fmt: skip
def test_a_built_in_hierarchy_that_does_not_fit(town, role, message):
    town.aides(("{generalise: {bands: 10}}", f"{{generalise: {role}}}"))
    assert town.faults() == [f"assets/social/aides.yaml:12: {message}"]


def test_a_built_in_hierarchy_needs_no_file(town):
    town.aides(
        ("{bands: 10}", "{hierarchy: age, level: optimal}"), ("hierarchy: iris.csv", "hierarchy: iris, level: 2")
    )
    town.read()


def test_sensitive_values_have_a_hierarchy_of_their_own(town):
    close = "k: 11\n  closeness: {montant: {t: 0.2, distance: hierarchical, hierarchy: age}}"
    town.aides(("k: 11", close))
    what = "the hierarchy of sensitive values is a file; write one, relative to the town"
    assert town.faults() == [f"assets/social/aides.yaml:15: {what}"]
