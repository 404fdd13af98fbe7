"""Delivered columns against declared ones: every column is declared, ignored by name, or a signal."""

import pytest

from odpipeline.errors import ConformError
from odpipeline.verdict import Severity


def test_names_are_compared_without_case_blanks_and_byte_order_mark(read):
    fields = [{"name": "site", "source": "Nom du site"}, "b"]
    assert read("\ufeff nom  du SITE ,B\nx,y\n", fields).values == [("x", "y")]


def test_a_column_that_vanished_is_an_error_with_what_came_instead(read):
    with pytest.raises(ConformError) as error:
        read("id,montants\n1,2\n", ["id", "montant"])
    assert str(error.value) == (
        "assets/x.yaml:7: the delivery has no column montant (it has: id, montants); ask the source why it vanished, "
        "or change the declaration; is 'montants' the new name of 'montant'? Then say source: montants"
    )


def test_a_new_column_is_left_out_with_a_warning(read):
    found = read("a,b,c,d\n1,2,3,4\n", ["b"], ignored_columns=["A"])
    assert found.values == [("2",)]
    [warning] = [f for f in found.conformed.findings if not f.passed]
    assert (warning.group, warning.severity, warning.counts) == ("schema", Severity.WARNING, {"new_columns": 2})
    assert warning.message == (
        "the delivery has columns that nobody declared, left out: c, d; "
        "add them to fields or to ignored_columns at assets/x.yaml:7"
    )


def test_a_new_column_stops_a_dataset_with_personal_data(read):
    with pytest.raises(ConformError) as error:
        read("a,courriel\n1,x\n", ["a"], personal_data="present")
    assert str(error.value) == (
        "assets/x.yaml:7: the delivery has new columns: courriel, and this dataset holds personal data; "
        "declare each as a field with a role under privacy.columns, or name it in ignored_columns"
    )


def test_two_columns_of_one_name_are_an_error(read):
    with pytest.raises(ConformError, match="the delivery has two columns called A, a"):
        read("a,b,A\n1,2,3\n", ["a", "b"])


def test_a_column_of_ignore_rows_that_vanished_is_an_error(read):
    with pytest.raises(ConformError, match=r"the delivery has no column Libellé \(it has: a, b\)"):
        read("a,b\n1,2\n", ["a", "b"], format={"ignore_rows": {"Libellé": "Total"}})
