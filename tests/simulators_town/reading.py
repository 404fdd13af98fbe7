"""Reads the sample town's systems as plainly as can be, to see what they deliver."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import openpyxl
import requests


def parkings(environment: dict[str, str]) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {environment['ODP_STATIONNEMENT_TOKEN']}"}
    rows: list[dict[str, Any]] = []
    following = "/v1/parkings"
    while following:
        answer = requests.get(environment["ODP_STATIONNEMENT_URL"] + following, headers=headers, timeout=10).json()
        rows += answer["results"]
        following = answer["next"]
    return rows


def sections(environment: dict[str, str]) -> list[dict[str, Any]]:
    return requests.get(environment["ODP_TRAFIC_URL"] + "/etat", timeout=10).json()["data"]["troncons"]  # type: ignore[no-any-return]


def counts(environment: dict[str, str]) -> list[list[str]]:
    answer = requests.get(environment["ODP_COMPTAGES_URL"] + "/export/comptages.csv", timeout=10)
    return [line.split(",") for line in answer.content.decode().splitlines()]


def first_names(environment: dict[str, str]) -> bytes:
    return requests.get(environment["ODP_ETATCIVIL_URL"] + "/prenoms.csv", timeout=10).content


def query(environment: dict[str, str], variable: str, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(environment[variable].removeprefix("sqlite:///"))) as connection:
        return connection.execute(sql).fetchall()


def readings(environment: dict[str, str]) -> list[list[str]]:
    newest = max((Path(environment["ODP_DEPOT"]) / "energie").iterdir(), key=lambda path: path.stat().st_mtime)
    return [line.split(";") for line in newest.read_bytes().decode("cp1252").splitlines()]


def sheet(environment: dict[str, str]) -> Any:
    book = openpyxl.load_workbook(Path(environment["ODP_DEPOT"]) / "equipements" / "frequentation.xlsx")
    return book["Fréquentation"]
