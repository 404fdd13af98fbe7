from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from odpipeline.quality import typography as t

N, B = "\u202f", "\u00a0"


@pytest.mark.parametrize(
    ("number", "french", "english"),
    [(0, "0", "0"), (1234567, f"1{N}234{N}567", "1,234,567"), (0.25, "0,25", "0.25"), (-3.0, "-3", "-3"),
     (1234.5, f"1{N}234,5", "1,234.5"), (0.00001, "1e-05", "1e-05"), (float("inf"), "–", "–")],
)  # fmt: skip
def test_numbers(number, french, english):
    assert (t.french_number(number), t.english_number(number)) == (french, english)


@pytest.mark.parametrize(
    ("number", "french", "english"),
    [(0, "0 ligne", "0 rows"), (1, "1 ligne", "1 row"), (1.5, "1,5 ligne", "1.5 rows"), (2, "2 lignes", "2 rows"),
     (3410, f"3{N}410 lignes", "3,410 rows")],
)  # fmt: skip
def test_the_french_plural_begins_at_two(number, french, english):
    assert (t.french_count(number, "ligne"), t.english_count(number, "row")) == (french, english)


@pytest.mark.parametrize(
    ("share", "french"), [(0, "0"), (1, "100"), (0.042, "4,2"), (0.9958, "99,6"), (0.0042, "0,42"), (0.95, "95")]
)
def test_shares(share, french):
    assert t.french_share(share) == f"{french}{N}%"
    assert t.english_share(share) == f"{french.replace(',', '.')}%"


@pytest.mark.parametrize(
    ("seconds", "french", "english"),
    [(30, "30 secondes", "30 seconds"), (60, "1 minute", "1 minute"), (7200, "2 heures", "2 hours"),
     (90_000, "1 jour", "1 day"), (86_400 * 40, "40 jours", "40 days")],
)  # fmt: skip
def test_ages(seconds, french, english):
    assert (t.french_age(seconds), t.english_age(seconds)) == (french, english)


def test_blanks_stand_before_high_punctuation_and_within_quotation_marks():
    text = t.typographic("« a » : b ; c ? d ! 4 % (voir http://x)")
    assert text == f"«{B}a{B}»{B}: b{N}; c{N}? d{N}! 4{N}% (voir http://x)"


def test_days_are_those_of_the_towns_time_zone():
    moment = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert t.english_date(moment, ZoneInfo("Europe/Paris")) == "1 January 2027"
    assert t.english_date(None, ZoneInfo("Europe/Paris")) == "–"
