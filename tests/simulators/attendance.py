"""Fréquentation des équipements: a workbook kept by hand, with a title, a merged header of two rows, and a total."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.worksheet.worksheet import Worksheet

from tests.simulators.night import Night, chance

FACILITIES = (
    ("Piscine des Trois-Rivières", "piscine", 620, None), ("Stade nautique", "piscine", 340, 0),
    ("Médiathèque centrale", "bibliothèque", 780, 0), ("Bibliothèque des Tilleuls", "bibliothèque", 140, 6),
    ("Bibliothèque du Port", "bibliothèque", 95, 6), ("Musée des Beaux-Arts", "musée", 210, 1),
    ("Musée de la Batellerie", "musée", 85, 1),
)  # fmt: skip
"""Name, kind, visits on an ordinary day, weekday of closing (0 is Monday)."""
DAYS = 300
SHEET = "Fréquentation"
GROUPED = ("plein tarif", "tarif réduit", "gratuites")
"""What stands below the merged cell “Entrées”; the last one is gone on the third night."""
HEADER_ROW = 3
_EPOCH = (1980, 1, 1, 0, 0, 0)


def workbook(night: Night) -> bytes:
    """The workbook as the sports and culture departments save it; the same night gives the same bytes."""
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = SHEET
    kept = GROUPED[:-1] if night.breaks else GROUPED
    _head(sheet, kept)
    totals = [0] * (len(kept) + 1)
    for day in night.days(DAYS):
        for cells in _day(day, night):
            counts = cells[3 : 3 + len(kept)]
            sheet.append([*cells[:3], *counts, cells[-1]])
            totals = [total + count for total, count in zip(totals, [*counts, cells[-1]], strict=True)]
    sheet.append(["Total", None, None, *totals])
    written = io.BytesIO()
    book.save(written)
    return _without_clock(written.getvalue())


def _head(sheet: Worksheet, kept: tuple[str, ...]) -> None:
    sheet.append(["Ville d’Aubrelle – Fréquentation des équipements sportifs et culturels"])
    sheet.append([])
    sheet.append(["Équipement", "Type", "Date", "Entrées", *[None] * (len(kept) - 1), "Scolaires"])
    sheet.append([None, None, None, *kept, None])
    last = 4 + len(kept)
    sheet.merge_cells(start_row=1, end_row=1, start_column=1, end_column=last)
    sheet.merge_cells(start_row=3, end_row=3, start_column=4, end_column=last - 1)
    for column in (1, 2, 3, last):
        sheet.merge_cells(start_row=3, end_row=4, start_column=column, end_column=column)
    sheet["A1"].font = Font(bold=True, size=14)
    sheet["D3"].alignment = Alignment(horizontal="center")


def _day(day: date, night: Night) -> list[list[Any]]:
    """The day's rows: facility, kind, day, paid in full, reduced, free, pupils."""
    random = chance("frequentation", day)
    rows = []
    for name, kind, usual, closed in FACILITIES:
        busy = usual * (1.5 if day.weekday() in (2, 5, 6) else 1.0) * (1.3 if day.month in (7, 8) else 1.0)
        full, reduced, free = random.poisson([busy * 0.45, busy * 0.3, busy * 0.25]).tolist()
        pupils = int(random.poisson(usual * 0.2)) if day.weekday() in (0, 1, 3, 4) else 0
        late = night.number == 1 and name == "Bibliothèque du Port" and (night.today - day).days <= 7
        if day.weekday() != closed and not late:
            corrected = 30 if night.number >= 2 and kind == "musée" and (night.today - day).days == 9 else 0
            free_kind = kind == "bibliothèque"
            paid = [0, 0, full + reduced + free] if free_kind else [full, reduced, free + corrected]
            rows.append([name, kind, day, *paid, pupils])
    return rows


def _without_clock(saved: bytes) -> bytes:
    """The same workbook without the time of saving, which openpyxl writes into it in two places."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved)) as old, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            body = old.read(name)
            if name == "docProps/core.xml":
                body = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2026-01-01T00:00:00Z", body)
            new.writestr(zipfile.ZipInfo(name, _EPOCH), body, zipfile.ZIP_DEFLATED)
    return written.getvalue()
