"""Files that would be overlooked, or taken for one another, are faults."""

import pytest


def test_one_id_in_two_folders_names_both_places(town):
    town.parkings(file="assets/voirie/parkings.yaml")
    assert town.faults() == [
        (
            "assets/voirie/parkings.yaml:1: the dataset id 'parkings' is also that of assets/mobilite/parkings.yaml; "
            "rename one of the files"
        )
    ]


@pytest.mark.parametrize("name", ["Parkings", "parkings 2", "été", "-x", "con", "a" * 101])
def test_an_id_has_small_letters_digits_and_hyphens(town, name):
    town.parkings(file=f"assets/mobilite/{name}.yaml")
    assert town.faults() == [
        (
            f"assets/mobilite/{name}.yaml: the dataset's id {name!r} is the file's name; rename it to a-z, "
            f"0-9, - and _ only, up to 100 of them, and to no device of Windows (con, nul…)"
        )
    ]


def test_yml_is_told_to_be_yaml(town):
    town.write("assets/mobilite/velos.yml", "title: Vélos\n")
    assert town.faults() == ["assets/mobilite/velos.yml: a declaration's name ends in .yaml; rename the file"]


def test_a_dataset_stands_in_a_theme(town):
    town.parkings(file="assets/velos.yaml")
    assert town.faults() == ["assets/velos.yaml: the file has no theme; move it into a folder such as assets/mobilite/"]


def test_a_theme_is_a_plain_word(town):
    town.parkings(file="assets/Vie sociale/velos.yaml")
    assert town.faults() == [
        "assets/Vie sociale/velos.yaml: the folder 'Vie sociale' is a theme; rename it to a-z, 0-9, - and _ only"
    ]


def test_an_editor_s_hidden_file_is_left_alone(town):
    town.write("assets/mobilite/.parkings.yaml", "half written: [")
    assert len(town.read().datasets) == 1


def test_a_suite_that_is_named_and_missing(town):
    town.parkings(("personal_data: none", "personal_data: none\nquality: {suite: expectations/autre.json}"))
    assert town.faults() == [
        (
            "assets/mobilite/parkings.yaml:11: there is no suite 'expectations/autre.json' in the town; "
            "write it, or remove "
            "quality.suite"
        )
    ]


def test_a_suite_does_not_come_from_outside_the_town(town):
    (town.root.parent / "fremde.json").write_text('{"expectations": []}')
    town.parkings(("personal_data: none", "personal_data: none\nquality: {suite: ../fremde.json}"))
    assert "there is no suite '../fremde.json' in the town" in town.faults()[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"expectations": [\n  {"type": }]}', ":2: the suite is not JSON (Expecting value); mend it"),
        ("[]", ':1: the suite must hold a list "expectations"; see the starter town for one'),
        ('{"expectations": {}}', ':1: the suite must hold a list "expectations"; see the starter town for one'),
        (b'{"expectations": "\xff"}', ": the suite cannot be read; save it as JSON in UTF-8"),
    ],
)
def test_a_broken_suite(town, text, message):
    town.write("expectations/parkings.json", text)
    assert town.faults() == [f"assets/mobilite/parkings.yaml:1: expectations/parkings.json{message}"]


def test_a_suite_that_no_dataset_uses_is_misspelt(town):
    town.write("expectations/parking.json", '{"expectations": []}')
    assert town.faults() == ["expectations/parking.json: no dataset is called 'parking'; did you mean 'parkings'?"]


def test_a_suite_used_by_name_is_no_stray(town):
    town.write("expectations/commun.json", '{"expectations": []}')
    town.parkings(("personal_data: none", "personal_data: none\nquality: {suite: expectations/commun.json}"))
    assert town.dataset().suite_file == town.root.resolve() / "expectations/commun.json"


def test_a_file_that_cannot_be_read(town):
    (town.root / "assets/mobilite/boucle.yaml").symlink_to("nulle-part.yaml")
    assert town.faults() == [
        "assets/mobilite/boucle.yaml: the file cannot be read (No such file or directory); mend its permissions"
    ]
