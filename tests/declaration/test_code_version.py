"""The code version changes with all that decides how rows become a release, and with nothing else."""

import pytest


@pytest.fixture
def version(town):
    town.aides()
    town.write("expectations/aides.json", '{"expectations": []}')

    def read():
        return town.dataset("aides").code_version

    return read


def test_it_is_a_sha_256_and_the_same_for_the_same_files(version):
    assert len(version()) == 64
    assert version() == version()


def test_comments_and_the_order_of_keys_do_not_change_it(town, version):
    before = version()
    town.aides(
        ("title: Aides\n", "# une remarque\n"), ("personal_data: present\n", "personal_data: present\ntitle: Aides\n")
    )
    assert version() == before


@pytest.mark.parametrize(
    "change", [("k: 11", "k: 12"), ("bands: 10", "bands: 5"), ("title: Aides", "title: Aides sociales")]
)
def test_the_declaration_changes_it(town, version, change):
    before = version()
    town.aides(change)
    assert version() != before


def test_how_long_captures_are_kept_does_not_change_it(town, version):
    before = version()
    town.aides(("personal_data: present\n", "personal_data: present\nretention: 7 days\nmax_captures: 3\n"))
    assert version() == before


def test_the_suite_changes_it(town, version):
    before = version()
    town.write("expectations/aides.json", '{"expectations": [], "name": "aides"}')
    assert version() != before


def test_a_hierarchy_changes_it(town, version):
    before = version()
    town.write("iris.csv", "1;a;A\n2;b;B\n3;b;B\n")
    assert version() != before


def test_a_default_of_the_town_changes_it(town, version):
    before = version()
    town.town(("dpo: dpo@ville.example\n", "dpo: dpo@ville.example\ndefaults: {shrink: 5 %}\n"))
    assert version() != before
