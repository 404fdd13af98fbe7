"""What breaks readers is announced before it comes, where `notice` asks for it; the old version is served meanwhile."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from odpipeline import acts, flow, portal
from odpipeline.cli import app
from odpipeline.declaration import read_town
from odpipeline.errors import DeclarationErrors
from odpipeline.monitoring import looking
from odpipeline.monitoring.records import Records
from odpipeline.store import Release
from odpipeline.verdict import Verdict
from tests.towns import write_town

DECLARED = """
title: Arbres
description: Arbres.
owner: arbres@ville.example
source: {folder: depot/arbres.csv}
fields:
  - {name: id, type: integer}
  - {name: nom}
  - {name: hauteur, type: number}
key: [id]
ignored_columns: [hauteur, nom]
notice: 30 days
personal_data: none
"""
HEIGHT = "  - {name: hauteur, type: number}\n"


class Town:
    def __init__(self, root: Path) -> None:
        self.root, self.public = write_town(root), root / ".odp/public"
        self.declare(DECLARED.replace("ignored_columns: [hauteur, nom]\n", ""))
        assert isinstance(self.deliver("1,chêne,20", "2,hêtre,18"), Release)
        self.declare(DECLARED.replace(HEIGHT, "").replace("[hauteur, nom]", "[hauteur]"))

    def declare(self, text: str) -> None:
        (self.root / "assets/sports/arbres.yaml").write_text(text)
        self.town = read_town(self.root)
        self.zones = flow.Zones.of(self.town)

    def deliver(self, *lines: str) -> Verdict | Release:
        (self.root / "depot/arbres.csv").write_text("\n".join(["id,nom,hauteur", *lines]) + "\n")
        return self.run()

    def run(self) -> Verdict | Release:
        *_, last = flow.recorded(self.town.dataset("arbres"), self.town, self.zones)
        portal.build(self.zones.store, self.town, self.zones.journal)
        assert isinstance(last, Verdict | Release)
        return last

    def accept(self, refused: Verdict | Release) -> str:
        named = refused.content_hash[:12]
        told = CliRunner().invoke(app, ["accept", "arbres", named, "--because", "outil", "--town", str(self.root)])
        assert told.exit_code == 0, told.output
        return told.output

    def let(self, until: datetime | None) -> None:
        """Decide by `odp embargo` until when nothing new is published."""
        acts.keep_back(self.town.dataset("arbres"), self.town, self.zones, until, self.town.contact, "décidé")

    def page(self, name: str) -> str:
        return (self.public / name).read_text().replace("\u00a0", " ").replace("\u202f", " ")


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_an_accepted_change_is_announced_and_waits_while_the_old_version_is_served(town: Town) -> None:
    refused = town.run()
    assert isinstance(refused, Verdict)
    [reason] = refused.reasons
    assert "odp accept arbres" in reason
    assert reason.endswith("it is then announced, and comes 30 days later at the earliest")
    assert "announced: it comes on" in town.accept(refused)
    changes, day = "la colonne « hauteur » disparaît", datetime.now(UTC) + timedelta(days=30)
    for page in ("changes/arbres.html", "dataset/arbres.html", "feeds/arbres.atom", "changes.json"):
        assert changes in town.page(page), page
    assert "the column “hauteur” goes. Until then, the current version" in town.page("changes/arbres.en.html")
    first = json.loads(town.page("feeds/arbres.json"))["items"][0]
    assert first["title"] == "Arbres : changement annoncé"
    assert f"#annonce-{day:%Y-%m}" in first["id"]
    held = town.run()
    assert isinstance(held, Verdict)
    assert held.held
    assert town.zones.store.current("arbres").columns == ("id", "nom", "hauteur")  # type: ignore[union-attr]


def test_other_rows_of_the_announced_shape_wait_for_the_same_day_and_then_come(town: Town) -> None:
    town.declare((town.root / "assets/sports/arbres.yaml").read_text().replace("30 days", "2 s"))
    refused = town.run()
    town.accept(refused)
    time.sleep(2.1)
    came = town.deliver("1,chêne,20", "2,hêtre,18", "3,if,7")
    assert isinstance(came, Release)
    assert came.content_hash != refused.content_hash
    assert (came.columns, came.changes["kind"]) == (("id", "nom"), "breaking")
    assert "Changement annoncé" not in town.page("changes/arbres.html")
    assert "changement annoncé" not in town.page("feeds/arbres.json")


def test_whoever_may_act_brings_the_day_forward_or_puts_it_off(town: Town) -> None:
    town.let(None)  # of a time before the announcement: it says nothing of it
    refused = town.run()
    town.accept(refused)
    assert isinstance(town.run(), Verdict)
    town.let(datetime(2999, 3, 1, tzinfo=UTC))
    assert isinstance(town.run(), Verdict)
    assert "À partir du 1er mars 2999 à 1 h 00" in town.page("changes/arbres.html")
    town.let(None)
    assert isinstance(town.run(), Release)


def test_accepting_again_puts_nothing_off_and_a_further_change_is_announced_anew(town: Town) -> None:
    refused = town.run()
    town.accept(refused)
    town.accept(refused)
    [announced] = town.zones.journal.acts("arbres", "announcement")
    town.declare(DECLARED.replace(HEIGHT, "").replace("  - {name: nom}\n", ""))
    further = town.run()
    assert isinstance(further, Verdict)
    assert not further.held
    town.accept(further)
    latest, first = town.zones.journal.acts("arbres", "announcement")
    assert (first, len(latest.details["changes"])) == (announced, 2)


def test_a_new_type_and_a_new_key_are_announced_too(town: Town) -> None:
    town.declare(DECLARED.replace("hauteur, type: number", "hauteur").replace("key: [id]", "key: [id, nom]")
                 .replace("ignored_columns: [hauteur, nom]\n", ""))  # fmt: skip
    refused = town.run()
    assert isinstance(refused, Verdict)
    town.accept(refused)
    told = town.page("changes/arbres.html")
    assert "la colonne « hauteur » passe du type number au type string ; la clé est désormais id, nom" in told
    held = town.run()
    assert isinstance(held, Verdict)
    assert held.held


def test_an_acceptance_that_announced_nothing_publishes_nothing(town: Town) -> None:
    refused = town.run()
    town.zones.journal.accept("arbres", refused.content_hash, who="moi", because="outil")
    again = town.run()
    assert isinstance(again, Verdict)
    assert not again.held
    assert "it is then announced" in again.reasons[0]


def test_what_the_declaration_means_no_more_is_not_told_and_holds_nothing_up(town: Town) -> None:
    town.accept(town.run())
    town.declare(DECLARED.replace("ignored_columns: [hauteur, nom]\n", ""))
    came = town.deliver("1,chêne,21")
    assert isinstance(came, Verdict)  # shrunken, and not held
    assert not came.held
    assert "changement annoncé" not in town.page("feeds/arbres.json")
    assert isinstance(town.deliver("1,chêne,21", "2,hêtre,18"), Release)


def test_what_came_once_is_announced_again_when_it_comes_again(town: Town) -> None:
    town.accept(town.run())
    town.let(None)
    assert isinstance(town.run(), Release)
    short = (town.root / "assets/sports/arbres.yaml").read_text()
    town.declare(DECLARED.replace("ignored_columns: [hauteur, nom]\n", ""))
    assert isinstance(town.run(), Release)
    town.declare(short)
    again = town.deliver("1,chêne,22", "2,hêtre,18", "4,orme,3")
    assert isinstance(again, Verdict)
    assert not again.held


def test_a_yes_before_the_announced_day_counts_after_it(town: Town) -> None:
    town.declare((town.root / "assets/sports/arbres.yaml").read_text() + "approval: dpo\nauthor: moi@ville.example\n")
    town.accept(town.run())
    held = town.run()
    assert isinstance(held, Verdict)
    assert held.held
    said = (town.town.dpo, "vu")
    assert flow.approve(town.town.dataset("arbres"), town.town, town.zones, held.content_hash, *said) is None
    assert town.zones.store.current("arbres").version == 1  # type: ignore[union-attr]
    town.let(None)
    assert isinstance(town.run(), Release)


def test_a_wait_that_was_announced_is_no_incident(town: Town) -> None:
    def causes() -> list[str]:
        found = looking.look(town.town, town.zones, Records(town.zones.journal), datetime.now(UTC))
        return [problem.cause for problem in found if problem.subject != "machine"]

    refused = town.run()
    assert causes() == ["refused"]
    town.accept(refused)
    town.run()
    assert causes() == []


def test_a_town_may_ask_for_notice_of_all_and_a_dataset_for_none(tmp_path: Path) -> None:
    root = write_town(tmp_path, "piscines")
    (root / "town.yaml").write_text((root / "town.yaml").read_text() + "defaults: {notice: 30 days}\n")
    assert read_town(root).dataset("piscines").notice == timedelta(days=30)
    file = root / "assets/sports/piscines.yaml"
    file.write_text(file.read_text() + "notice: 0 s\n")
    assert not read_town(root).dataset("piscines").notice


@pytest.mark.parametrize(
    ("said", "why"),
    [("bientôt", "a whole number and a unit"), ("-3 days", "a whole number and a unit"),
     ("100 years", "announce it at most 3650 days before"), ("99999999999 years", "at most a few thousand years")],
)  # fmt: skip
def test_a_notice_that_is_none_is_refused_with_its_line(tmp_path: Path, said: str, why: str) -> None:
    root = write_town(tmp_path, "piscines")
    file = root / "assets/sports/piscines.yaml"
    file.write_text(file.read_text() + f"notice: {said}\n")
    with pytest.raises(DeclarationErrors, match=why) as refused:
        read_town(root)
    assert "assets/sports/piscines.yaml:13" in str(refused.value)
