"""Every declared kind of source has one module, and `extract` finds it."""

import os

import pytest

from odpipeline import sources
from odpipeline.declaration import read_town
from odpipeline.declaration.source import KINDS
from odpipeline.errors import OdpError, SourceError
from tests.towns import PISCINES, write_town


def test_models_and_modules_are_the_same_kinds():
    assert set(sources.KINDS) == set(KINDS)


def town_with(tmp_path, source='{folder: "depot/NAME.csv"}'):
    declaration = PISCINES.replace('{folder: "depot/NAME.csv"}', source)
    town = read_town(write_town(tmp_path, "piscines", declaration=declaration))
    return town.datasets[0], town


def test_a_delivery_lands_in_a_private_folder(tmp_path):
    dataset, town = town_with(tmp_path)
    delivery = sources.extract(dataset, town, tmp_path / "private" / "work", None)
    assert delivery.path.parent == tmp_path / "private" / "work"
    assert oct(delivery.path.parent.stat().st_mode)[-3:] == "700"


def test_errors_name_the_dataset_and_its_declaration(tmp_path):
    dataset, town = town_with(tmp_path, '{folder: "depot/autre.csv"}')
    with pytest.raises(SourceError) as error:
        sources.extract(dataset, town, tmp_path / "work", None)
    assert str(error.value) == (
        "piscines: depot/autre.csv: no file matches; have the file dropped, or correct the pattern in "
        "assets/sports/piscines.yaml:6"
    )


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="there is no /dev/full to write to")
def test_a_full_disk_is_told(tmp_path):
    dataset, town = town_with(tmp_path)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "delivery").symlink_to("/dev/full")
    with pytest.raises(OdpError) as error:
        sources.extract(dataset, town, tmp_path / "work", None)
    assert str(error.value) == (
        "piscines: the private zone: the disk is full: the delivery could not be written; "
        "free space where `private` of town.yaml points, or lower `retention`, and run again"
    )


def test_another_fault_of_the_disk_is_not_hidden(tmp_path):
    dataset, town = town_with(tmp_path)
    (tmp_path / "work" / "delivery").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        sources.extract(dataset, town, tmp_path / "work", None)
