"""Acts on what is public: rolled back, withdrawn, readmitted; each logged.

That each is whole after a crash at any instant is shown in `store/test_every_change.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from odpipeline import acts, catalogue, flow, portal
from odpipeline.cli import app
from odpipeline.declaration import read_town
from odpipeline.errors import ApprovalRefused, OdpError, StoreError
from odpipeline.landing.erasures import Kept
from odpipeline.store import Release, retention, signing
from odpipeline.store.verifying import verify
from odpipeline.verdict import Verdict
from tests.towns import write_town

PLAIN = "id,nom\n"
DECLARED = """
title: Aides
description: Aides.
owner: aides@ville.example
source: {folder: depot/aides.csv}
fields:
  - {name: id, type: integer}
  - {name: nom}
key: [id]
shrink: 90 %
personal_data: none
"""


class Town:
    """A town with one dataset, `aides`, and what is done to it."""

    def __init__(self, root: Path) -> None:
        self.root = root if (root / "town.yaml").exists() else write_town(root)
        if not (root / "assets/sports/aides.yaml").exists():
            (root / "assets/sports/aides.yaml").write_text(DECLARED)
        self.town = read_town(self.root)
        self.who = self.town.contact
        self.zones = flow.Zones.of(self.town)

    @property
    def dataset(self) -> Any:
        return self.town.dataset("aides")

    def deliver(self, *names: str) -> Verdict | Release:
        lines = [f"{number},{name}" for number, name in enumerate(names)]
        (self.root / "depot/aides.csv").write_text(PLAIN + "\n".join(lines) + "\n")
        return self.run()

    def run(self) -> Verdict | Release:
        *_, last = flow.publication(self.dataset, self.town, self.zones)
        assert isinstance(last, Verdict | Release)
        return last

    def roll_back(self, number: int) -> Release:
        return acts.Rollback.planned(self.dataset, self.zones, number).done(self.town, self.zones, self.who, "erreur")

    def withdraw(self, number: int | None = None, *, captures: bool = False) -> dict[str, Any]:
        planned = acts.Withdrawal.planned("aides", self.zones, number, captures=captures)
        return planned.done(self.town, self.zones, self.who, "décision du maire", "RGPD 17", captures=captures)

    def holding(self, text: bytes, below: str = ".odp/public") -> list[str]:
        """The files below a folder that hold `text`."""
        found = (path for path in (self.root / below).rglob("*") if path.is_file())
        return [str(path.relative_to(self.root)) for path in found if text in path.read_bytes()]

    @property
    def flaws(self) -> list[str]:
        backend = self.zones.store.backend
        return [f"{flaw.where}: {flaw.what}" for flaw in verify(backend, "aides", listed=backend).flaws]


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_a_rollback_is_a_new_version_with_the_old_content(town: Town) -> None:
    first, second = town.deliver("un", "deux"), town.deliver("un", "faux")
    assert isinstance(first, Release)
    assert isinstance(second, Release)
    third = town.roll_back(1)
    assert (third.version, third.content_hash, third.previous) == (3, first.content_hash, 2)
    assert third.why == "rollback to version 1: erreur"
    assert (third.folder / "aides.csv").read_bytes() == (first.folder / "aides.csv").read_bytes()
    assert town.zones.store.current("aides") == third
    assert town.flaws == []
    [act] = town.zones.journal.acts("aides")
    assert (act.act, act.who, act.because, act.details["from"], act.details["to"]) == (
        "rollback",
        town.who,
        "erreur",
        2,
        1,
    )


def test_what_was_undone_comes_back_only_when_it_is_accepted(town: Town) -> None:
    town.deliver("un", "deux")
    wrong = town.deliver("un", "faux")
    assert isinstance(wrong, Release)
    town.roll_back(1)
    again = town.run()
    assert isinstance(again, Verdict)
    [reason] = again.reasons
    assert reason.startswith("this content was rolled back; if this is right, accept it: odp accept aides")
    right = town.deliver("un", "deux", "trois")
    assert isinstance(right, Release)
    assert right.undone == (wrong.content_hash,)
    town.zones.journal.accept("aides", wrong.content_hash, who="moi", because="c’était juste")
    back = town.deliver("un", "faux")
    assert isinstance(back, Release)
    assert back.undone == ()


def test_what_was_accepted_before_it_was_undone_is_to_be_accepted_anew(town: Town) -> None:
    town.deliver("un", "deux", "trois", "quatre")
    (town.root / "assets/sports/aides.yaml").write_text(DECLARED.replace("90 %", "10 %"))
    town.town = read_town(town.root)
    refused = town.deliver("un")
    assert isinstance(refused, Verdict)
    town.zones.journal.accept("aides", refused.content_hash[:12], who="moi", because="c’est juste")
    assert isinstance(town.run(), Release)
    town.roll_back(1)
    again = town.run()
    assert isinstance(again, Verdict)
    assert any(reason.startswith("this content was rolled back; if this is right") for reason in again.reasons)
    town.zones.journal.accept("aides", refused.content_hash[:12], who="moi", because="juste, en effet")
    assert isinstance(town.run(), Release)


def test_a_rollback_that_cannot_be_is_refused(town: Town) -> None:
    town.deliver("un", "deux")
    town.deliver("un", "faux")
    for number, why in ((7, "version 7 is not there; there are: 1, 2"), (2, "has the content of version 2")):
        with pytest.raises(OdpError, match=why):
            town.roll_back(number)
    planned = acts.Rollback.planned(town.dataset, town.zones, 1)
    with pytest.raises(ApprovalRefused, match="may not act on published data"):
        planned.done(town.town, town.zones, "inconnu@ville.example", "erreur")
    with pytest.raises(ApprovalRefused, match="needs its reason"):
        planned.done(town.town, town.zones, town.who, "  ")
    town.deliver("un", "trois")
    with pytest.raises(OdpError, match="someone published version 3 meanwhile"):
        planned.done(town.town, town.zones, town.who, "erreur")
    assert town.flaws == []


def test_no_rollback_to_what_the_declaration_forbids_today(town: Town) -> None:
    town.deliver("un", "deux")
    file = town.root / "assets/sports/aides.yaml"
    file.write_text(DECLARED.replace("personal_data: none", "personal_data: present\nlegal_basis: essai\nprivacy: "
                                     "{columns: {id: keep, nom: drop}}"))  # fmt: skip
    town.town = read_town(town.root)
    (town.root / "depot/aides.csv").write_text(PLAIN + "1,un\n2,trois\n")
    hidden = town.run()
    assert isinstance(hidden, Verdict)  # a column vanished: accepted by a person
    town.zones.journal.accept("aides", hidden.content_hash, who="moi", because="RGPD")
    assert isinstance(town.run(), Release)
    with pytest.raises(OdpError, match="columns without a published role are written: nom"):
        town.roll_back(1)


def test_nothing_of_a_withdrawn_dataset_is_left_but_what_says_so(town: Town) -> None:
    for name in ("secretum", "secretissimum"):
        town.deliver("un", name)
    catalogue.build(town.zones.store, town.town)
    portal.build(town.zones.store, town.town, town.zones.journal)
    assert len(town.holding(b"secretum")) > 1
    proof = town.withdraw(captures=True)
    catalogue.build(town.zones.store, town.town)
    portal.build(town.zones.store, town.town, town.zones.journal)
    assert town.holding(b"secret") == []
    assert [path for path in town.holding(b"secret", ".odp/private") if "journal" not in path] == []
    assert b"aides" not in (town.root / ".odp/public/catalogue.jsonld").read_bytes()
    assert proof["still_there"] == []
    assert proof["captures_deleted"] == 2
    assert {file["name"] for file in proof["removed"]} >= {"1/aides.csv", "2/aides.parquet"}
    said = json.loads((town.root / ".odp/public/datasets/aides/tombstone.json").read_text())
    assert (said["reason"], said["legal_basis"], said["kind"]) == ("décision du maire", "RGPD 17", "withdrawal")
    assert town.zones.store.current("aides") is None
    assert verify(town.zones.store.backend, "aides", listed=town.zones.store.backend).flaws == []
    assert [act.act for act in town.zones.journal.acts("aides")] == ["withdrawal proof", "withdrawal"]


def test_a_withdrawn_dataset_comes_back_by_decision_only_and_its_numbers_go_on(town: Town) -> None:
    town.deliver("un")
    town.deliver("deux")
    town.withdraw()
    with pytest.raises(StoreError, match=r"was withdrawn on .* odp readmit aides"):
        town.run()
    acts.Readmission.planned("aides", town.zones).done(town.town, town.zones, town.who, "arrêté du 3 mars")
    back = town.run()
    assert isinstance(back, Release)
    assert (back.version, back.previous) == (3, None)
    assert town.flaws == []
    with pytest.raises(OdpError, match="was not withdrawn"):
        acts.Readmission.planned("aides", town.zones).done(town.town, town.zones, town.who, "encore")


class _Killed(Exception):
    """Stands for the end of the process."""


def cut_short(town: Town, monkeypatch: pytest.MonkeyPatch, after: int, **said: Any) -> None:
    """Withdraw, and be killed when `after` objects are gone."""
    backend, gone = town.zones.store.backend, 0
    purge = backend.purge

    def until(key: str) -> None:
        nonlocal gone
        if gone == after:
            raise _Killed
        gone += 1
        purge(key)

    with monkeypatch.context() as patched:
        patched.setattr(backend, "purge", until)
        with pytest.raises(_Killed):
            town.withdraw(**said)


@pytest.mark.parametrize("after", range(4))
def test_a_withdrawal_that_was_cut_short_is_whole_before_it_is_readmitted(
    town: Town, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    town.deliver("un", "secretum")
    town.deliver("un", "deux")
    cut_short(town, monkeypatch, after)
    acts.Readmission.planned("aides", town.zones).done(town.town, town.zones, town.who, "arrêté du 3 mars")
    assert town.holding(b"secretum") == []
    assert town.zones.store.current("aides") is None
    back = town.run()
    assert isinstance(back, Release)
    assert (back.version, back.previous) == (3, None)
    assert town.flaws == []


@pytest.mark.parametrize("number", [None, 1])
def test_gc_tells_of_a_withdrawal_that_was_cut_short_and_finishes_it(
    town: Town, monkeypatch: pytest.MonkeyPatch, number: int | None
) -> None:
    town.deliver("un", "secretum")
    town.deliver("un", "deux")
    cut_short(town, monkeypatch, 3, number=number)
    assert town.holding(b"secretum")
    gc = ["gc", "aides", "--town", str(town.root), "--json"]
    [row] = json.loads(CliRunner().invoke(app, gc).output.split("\n]")[0] + "]")
    assert row["withdrawn, not whole"] == str(number or "all")
    assert CliRunner().invoke(app, [*gc, "--yes"]).exit_code == 0
    assert town.holding(b"secretum") == []
    assert town.flaws == []


def test_no_readmission_while_captures_that_were_to_go_are_there(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.deliver("un", "secretum")
    cut_short(town, monkeypatch, 1, captures=True)
    with pytest.raises(OdpError, match="was cut short, and its captures were to go as well"):
        acts.Readmission.planned("aides", town.zones)
    town.withdraw(captures=True)
    acts.Readmission.planned("aides", town.zones).done(town.town, town.zones, town.who, "arrêté du 3 mars")
    assert town.holding(b"secretum", ".odp/private/captures") == []


def test_one_version_is_withdrawn_and_the_history_goes_over_it(town: Town) -> None:
    for name in ("un", "secretum", "trois"):
        town.deliver("zéro", name)
    with pytest.raises(OdpError, match="version 3 is the one that the public sees"):
        town.withdraw(3)
    proof = town.withdraw(2)
    assert proof["still_there"] == []
    assert town.holding(b"secretum") == []
    assert [release.version for release in town.zones.store.versions("aides")] == [3, 1]
    assert town.flaws == []
    assert isinstance(town.deliver("zéro", "quatre"), Release)
    assert [release.version for release in town.zones.store.versions("aides")] == [4, 3, 1]


def test_two_withdrawals_at_once_are_one(town: Town) -> None:
    town.deliver("un")
    store, planned = town.zones.store, acts.Withdrawal.planned("aides", town.zones, None, captures=False)
    grave = planned._tombstone("raison", None)
    proofs: list[Any] = []
    threads = [threading.Thread(target=lambda: proofs.append(store.withdraw(grave))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [proof["still_there"] for proof in proofs] == [[], []]


def test_commands_say_what_they_would_do_and_do_it_when_told(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.deliver("un")
    town.deliver("deux")
    act = ["--as", town.who, "--because", "erreur", "--town", str(tmp_path)]
    dry = CliRunner().invoke(app, ["rollback", "aides", "1", *act])
    assert dry.exit_code == 0, dry.output
    assert "nothing was done" in dry.output
    assert town.zones.store.current("aides").version == 2  # type: ignore[union-attr]
    done = CliRunner().invoke(app, ["rollback", "aides", "1", *act, "--yes"])
    assert "published: version 3 with the content of version 1" in done.output
    sound = CliRunner().invoke(app, ["verify", "aides", "--town", str(tmp_path)])
    assert sound.exit_code == 0, sound.output
    gone = CliRunner().invoke(app, ["withdraw", "aides", *act, "--legal-basis", "RGPD 17", "--captures", "--yes"])
    assert '"still_there": []' in gone.output
    assert "withdrawn" in CliRunner().invoke(app, ["verify", "--town", str(tmp_path)]).output
    assert "readmitted" in CliRunner().invoke(app, ["readmit", "aides", *act, "--yes"]).output


@pytest.mark.parametrize(
    "said",
    [
        "rollback aides 1", "erase aides --where nom=un", "erase aides --where nom=un --lift", "embargo aides --lift",
        "embargo aides --until 2030-01-01", "readmit aides",
    ],
)  # fmt: skip
def test_what_is_declared_no_more_says_what_can_be_done(tmp_path: Path, said: str) -> None:
    town = Town(tmp_path)
    town.deliver("un")
    town.deliver("deux")
    (tmp_path / "assets/sports/aides.yaml").unlink()
    act = ["--as", town.who, "--because", "erreur", "--town", str(tmp_path)]
    refused = CliRunner().invoke(app, [*said.split(), *act])
    assert refused.exit_code == 1
    assert isinstance(refused.exception, OdpError)
    assert "declared no more" in refused.exception.what
    assert "odp withdraw aides" in str(refused.exception.mend)
    assert refused.output == ""


def test_versions_that_are_declared_no_more_are_compared_and_stay(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.deliver("un")
    town.deliver("deux")
    (tmp_path / "assets/sports/aides.yaml").unlink()
    told = CliRunner().invoke(app, ["diff", "aides", "--town", str(tmp_path), "--json"])
    assert json.loads(told.output)["from"] == 1
    backend = town.zones.store.backend
    backend.put("datasets/aides/versions/3/aides.csv", b"of a publisher that died")
    orphan = tmp_path / ".odp/public/datasets/aides/versions/3/aides.csv"
    os.utime(orphan, (0, 0))
    for said in ([], ["aides"]):
        assert "aides" in CliRunner().invoke(app, ["gc", *said, "--town", str(tmp_path)]).output
    assert CliRunner().invoke(app, ["gc", "--town", str(tmp_path), "--yes"]).exit_code == 0
    assert not orphan.exists()
    assert [release.version for release in town.zones.store.versions("aides")] == [2, 1]
    unknown = CliRunner().invoke(app, ["gc", "aydes", "--town", str(tmp_path)])
    assert "there is no dataset 'aydes'" in str(unknown.exception)


def test_no_value_of_a_partition_stays_in_a_tombstone_or_a_proof(tmp_path: Path) -> None:
    declared = Town(tmp_path).root / "assets/sports/aides.yaml"
    declared.write_text(declared.read_text() + "\nformats: {partition_by: nom}\n")
    town = Town(tmp_path)
    town.deliver("Secretum", "autre")
    assert town.holding(b"Secretum")
    proof = town.withdraw()
    assert {file["name"].split("/")[1] for file in proof["removed"]} > {"aides.csv", "aides.parquet"}
    assert len({file["name"] for file in proof["removed"]}) == len(proof["removed"])
    assert town.holding(b"Secretum") == []


@pytest.mark.parametrize("act", ["withdraw", "withdraw one", "erase"])
def test_what_a_killed_publisher_left_goes_with_an_act(town: Town, act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    town.deliver("un", "secretum")
    town.deliver("un", "deux")
    left = town.root / ".odp/public/datasets/aides/versions/1/.tmp-0123456789abcdef"
    left.write_bytes(b"secretum")
    monkeypatch.setattr("odpipeline.store.local._STILL", 0.1)
    if act == "erase":
        erase(town, nom="secretum")
    else:
        town.withdraw(1 if act == "withdraw one" else None)
    assert town.holding(b"secretum") == []


def test_gc_takes_what_killed_writers_left_when_it_is_old(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.deliver("un")
    old, new = (tmp_path / f".odp/public/datasets/aides/.tmp-{n:016x}" for n in range(2))
    old.write_bytes(b"dead")
    new.write_bytes(b"perhaps not")
    os.utime(old, (0, 0))
    done = CliRunner().invoke(app, ["gc", "--town", str(tmp_path), "--yes"])
    assert done.exit_code == 0, done.output
    assert (old.exists(), new.exists()) == (False, True)


def test_a_withdrawal_tells_of_other_versions_with_the_same_content(town: Town) -> None:
    for names in (["un"], ["deux"]):
        town.deliver(*names)
    town.roll_back(1)
    said = acts.Withdrawal.planned("aides", town.zones, 1, captures=False).said
    assert "the same content stays in version 3" in said
    assert len(acts.Withdrawal.planned("aides", town.zones, 2, captures=False).said) == len(said) - 1


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["erase", "aides", "--where", "id=1", "--where", "id=2"], "names a column twice"),
        (["embargo", "aides", "--until", "0001-01-01"], "beyond the calendar"),
        (["verify", "aydes"], "nothing of it was ever published"),
        (["verify", "aides", "--sample", "-1"], None),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(tmp_path: Path, command: list[str], told: str | None) -> None:
    town = Town(tmp_path)
    town.deliver("un")
    act = [] if command[0] == "verify" else ["--as", town.who, "--because", "erreur"]
    refused = CliRunner().invoke(app, [*command, *act, "--town", str(tmp_path)])
    assert refused.exit_code != 0
    if told:
        assert isinstance(refused.exception, OdpError)
        assert told in str(refused.exception)
    else:
        assert isinstance(refused.exception, SystemExit)  # typer's own words


def test_what_gc_takes_away_has_a_signed_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODP_SIGNATURE", signing.made())
    town = Town(tmp_path)
    declared = tmp_path / "town.yaml"
    declared.write_text(declared.read_text() + "\nsigning_key: ODP_SIGNATURE\n")
    dataset = tmp_path / "assets/sports/aides.yaml"
    dataset.write_text(dataset.read_text() + "versions: {last: 1}\n")
    town.deliver("un")
    town.deliver("deux")
    assert CliRunner().invoke(app, ["gc", "--town", str(tmp_path), "--yes"]).exit_code == 0
    folder = tmp_path / ".odp/public/datasets/aides/versions/1"
    signed = ["tombstone.json", "withdrawal-proof.json", "withdrawal-proof.json.sig"]
    assert sorted(path.name for path in folder.iterdir()) == signed


def test_what_gc_finishes_of_a_withdrawal_has_a_signed_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODP_SIGNATURE", signing.made())
    town = Town(tmp_path)
    declared = tmp_path / "town.yaml"
    declared.write_text(declared.read_text() + "\nsigning_key: ODP_SIGNATURE\n")
    town.deliver("un")
    town.deliver("deux")
    with monkeypatch.context() as patched:
        patched.setattr("odpipeline.store.withdrawing.finish", lambda *_: {"still_there": []})  # cut short
        town.withdraw(1)
    proof = tmp_path / ".odp/public/datasets/aides/versions/1/withdrawal-proof.json"
    assert not proof.exists()
    dry = CliRunner().invoke(app, ["gc", "--town", str(tmp_path), "--json"]).stdout
    assert [row["withdrawn, not whole"] for row in json.loads(dry) if row["dataset"] == "aides"] == ["1"]
    done = CliRunner().invoke(app, ["gc", "--town", str(tmp_path), "--yes"])
    assert done.exit_code == 0, done.output
    assert proof.exists()
    assert proof.with_name(f"{proof.name}.sig").exists()


def test_new_content_waits_for_the_end_of_its_embargo_and_nothing_of_it_is_public(town: Town) -> None:
    file = town.root / "assets/sports/aides.yaml"
    file.write_text(DECLARED + "embargo: 2999-01-01\n")
    town.town = read_town(town.root)
    held = town.deliver("secretum")
    assert isinstance(held, Verdict)
    assert held.held
    assert held.reasons == ("the release is under embargo until 2998-12-31 23:00 UTC",)
    catalogue.build(town.zones.store, town.town)
    portal.build(town.zones.store, town.town, town.zones.journal)
    assert [path for path in (town.root / ".odp/public").rglob("*") if b"aides" in str(path).encode()] == []
    acts.keep_back(town.dataset, town.town, town.zones, datetime.now(UTC) - timedelta(minutes=1), town.who, "avancé")
    assert isinstance(town.run(), Release)
    acts.keep_back(town.dataset, town.town, town.zones, datetime.now(UTC) + timedelta(days=1), town.who, "vote reporté")
    assert isinstance(town.deliver("secretum"), Release)  # what is public already stays
    assert isinstance(town.deliver("nouveau"), Verdict)
    acts.keep_back(town.dataset, town.town, town.zones, None, town.who, "levé")
    assert isinstance(town.run(), Release)
    assert [act.because for act in town.zones.journal.acts("aides", "embargo")] == ["levé", "vote reporté", "avancé"]


def test_a_yes_before_the_end_of_an_embargo_counts_after_it(town: Town) -> None:
    file = town.root / "assets/sports/aides.yaml"
    file.write_text(DECLARED + "embargo: 2999-01-01\napproval: dpo\nauthor: moi@ville.example\n")
    town.town = read_town(town.root)
    held = town.deliver("un")
    assert isinstance(held, Verdict)
    yes = ("oui", town.town.dpo)
    assert flow.approve(town.dataset, town.town, town.zones, held.content_hash, yes[1], yes[0]) is None
    assert town.zones.store.current("aides") is None
    acts.keep_back(town.dataset, town.town, town.zones, None, town.who, "levé")
    published = town.run()
    assert isinstance(published, Release)
    assert published.content_hash == held.content_hash


def test_the_embargo_command_wants_one_of_two(tmp_path: Path) -> None:
    town = Town(tmp_path)
    act = ["embargo", "aides", "--as", town.who, "--because", "vote", "--town", str(tmp_path)]
    assert isinstance(CliRunner().invoke(app, act).exception, OdpError)
    told = CliRunner().invoke(app, [*act, "--until", "2999-01-01", "--yes"])
    assert "new content waits until 2998-12-31 23:00 UTC" in told.output
    assert isinstance(town.deliver("un"), Verdict)


def erase(town: Town, **condition: str) -> int:
    return acts.Erasure.planned(town.dataset, town.zones, condition).done(town.town, town.zones, town.who, "demande")


def test_erased_rows_are_in_no_version_and_do_not_come_back(town: Town) -> None:
    before = town.deliver("un", "secretum")
    town.deliver("un", "secretum", "trois")
    assert isinstance(before, Release)
    assert erase(town, id="1") == 2
    assert town.holding(b"secretum") == []
    assert town.holding(b"secretum", ".odp/private/work") == []
    current, second, first = town.zones.store.versions("aides")
    assert [one.rows for one in (current, second, first)] == [2, 2, 1]
    assert (current.version, current.why) == (3, "rows erased: demande")
    assert first.content_hash != before.content_hash
    assert [(one.reason, one.content_hash) for one in first.erasures] == [("demande", before.content_hash)]
    assert town.flaws == []
    again = town.run()
    assert isinstance(again, Release)
    assert again.version == 3  # the same delivery changes nothing
    fresh = town.deliver("un", "secretum", "trois", "quatre")
    assert isinstance(fresh, Release)
    assert fresh.rows == 3
    assert town.holding(b"secretum") == []
    [act] = town.zones.journal.acts("aides", "erasure")
    assert (act.details["columns"], act.details["versions"]) == (["id"], {"1": 1, "2": 1})


def about_persons(town: Town, role: str) -> None:
    """From now on the identifier of `town` is published as `role` says."""
    said = f"privacy: {{columns: {{id: {role}, nom: keep}}, quasi_identifiers: [nom], k: 5}}\n"
    declared = DECLARED.replace("key: [id]\n", "").replace("personal_data: none\n", "personal_data: present\n")
    (town.root / "assets/sports/aides.yaml").write_text(declared + "legal_basis: essai\n" + said)
    town.town = read_town(town.root)


STABLE = "{pseudonymise: {secret: ODP_TEST_SECRET, scope: stable, because: suivi"
FLEETING = "{pseudonymise: {secret: ODP_TEST_SECRET}}"


def first_pseudonym(town: Town) -> str:
    release = town.zones.store.current("aides")
    assert release is not None
    return (release.folder / "aides.csv").read_text().splitlines()[1].split(",")[0]


def test_an_erasure_is_taken_back_for_deliveries_to_come(town: Town) -> None:
    town.deliver("un", "deux", "trois")
    erase(town, id="1")
    command = ["erase", "aides", "--where", "id=1", "--as", town.who, "--because", "méprise", "--lift", "--town"]
    assert "nothing was done" in CliRunner().invoke(app, [*command, str(town.root)]).output
    assert len(town.zones.erasures.of("aides")) == 1
    assert "published again" in CliRunner().invoke(app, [*command, str(town.root), "--yes"]).output
    fresh = town.deliver("un", "deux", "trois", "quatre")
    assert isinstance(fresh, Release)
    assert fresh.rows == 4
    assert [one.rows for one in town.zones.store.versions("aides")] == [4, 2, 2]
    [act] = town.zones.journal.acts("aides", "erasure lifted")
    assert (act.because, act.details) == ("méprise", {"columns": ["id"]})
    again = CliRunner().invoke(app, [*command, str(town.root), "--yes"]).exception
    assert isinstance(again, OdpError)
    assert "no erasure has this condition; 0 stand" in str(again)


def test_no_row_is_erased_by_a_value_that_the_next_release_has_no_more(town: Town, monkeypatch: Any) -> None:
    monkeypatch.setenv("ODP_TEST_SECRET", "0123456789abcdef" * 2 + "XYZ")
    about_persons(town, FLEETING)
    assert isinstance(town.deliver(*["un"] * 6), Release)
    condition = {"id": first_pseudonym(town)}
    with pytest.raises(OdpError, match="the values of id are others in each release: the rows would come back"):
        acts.Erasure.planned(town.dataset, town.zones, condition)
    planned = acts.Erasure.planned(town.dataset, town.zones, condition, only_published=True)
    assert "come back unless the source has them no more" in planned.said[-1]
    assert planned.done(town.town, town.zones, town.who, "demande") == 1
    assert [one.rows for one in town.zones.store.versions("aides")] == [5, 5]
    assert town.zones.erasures.of("aides") == []


def test_nothing_is_published_when_erased_rows_cannot_be_told_any_more(town: Town, monkeypatch: Any) -> None:
    monkeypatch.setenv("ODP_TEST_SECRET", "0123456789abcdef" * 2 + "XYZ")
    about_persons(town, STABLE + "}}")
    assert isinstance(town.deliver(*["un"] * 6), Release)
    former = first_pseudonym(town)
    erase(town, id=former)
    kept = town.deliver(*["un"] * 12)
    assert isinstance(kept, Release)
    assert kept.rows == 11
    monkeypatch.setenv("ODP_TEST_SECRET", "fedcba9876543210" * 2 + "XYZ")
    about_persons(town, STABLE + ", rotated: 2026-01-31}}")
    with pytest.raises(OdpError, match="rows were erased by id, which is published otherwise since"):
        town.deliver(*["un"] * 18)
    assert town.zones.store.current("aides") == kept
    acts.lift(town.dataset, town.town, town.zones, {"id": former}, town.who, "clé changée", dry=False)
    fresh = town.run()
    assert isinstance(fresh, Release)
    assert fresh.rows == 18


def test_nothing_is_published_when_the_journal_knows_of_erasures_that_are_lost(town: Town) -> None:
    town.deliver("un", "deux", "trois")
    erase(town, id="1")
    before = town.zones.store.current("aides")
    shutil.rmtree(town.root / ".odp/private/erasures")
    with pytest.raises(OdpError, match="rows were erased, and which ones is not known any more; restore"):
        town.deliver("un", "deux", "trois", "quatre")
    assert town.zones.store.current("aides") == before
    erase(town, id="1")
    fresh = town.run()
    assert isinstance(fresh, Release)
    assert fresh.rows == 3


def test_no_rollback_brings_back_what_an_erasure_that_was_cut_short_left(town: Town) -> None:
    town.deliver("un", "deux", "trois")
    town.deliver("un", "deux", "trois", "quatre")
    town.zones.erasures.add("aides", Kept({"id": "1"}))
    with pytest.raises(OdpError, match="version 1 still holds rows that were to be erased"):
        town.roll_back(1)
    assert erase(town, id="1") == 2
    assert town.roll_back(1).rows == 2


@pytest.mark.parametrize("right", [("un", "deux"), ("un", "autre")], ids=["current holds the row", "it does not"])
def test_what_was_rolled_back_stays_refused_without_the_rows_that_were_erased(
    town: Town, right: tuple[str, ...]
) -> None:
    town.deliver(*right)
    wrong = town.deliver("un", "deux", "faux")
    assert isinstance(wrong, Release)
    town.roll_back(1)
    erase(town, nom="deux")
    again = town.run()
    assert isinstance(again, Verdict)
    assert again.reasons[0].startswith("this content was rolled back")
    erase(town, nom="un")
    twice = town.run()
    assert isinstance(twice, Verdict)
    assert twice.reasons[0].startswith("this content was rolled back")
    assert town.flaws == []
    town.zones.journal.accept("aides", twice.content_hash, who="moi", because="c’était juste")
    assert isinstance(town.run(), Release)


def test_what_was_rolled_back_and_is_the_current_content_without_a_row_is_refused_no_more(town: Town) -> None:
    town.deliver("un", "deux")
    town.deliver("un", "deux", "faux")
    town.roll_back(1)
    erase(town, nom="faux")
    same = town.run()
    assert isinstance(same, Release)
    assert same.version == 3
    assert town.flaws == []


@pytest.mark.parametrize("kept", [{"nom": "secretum"}, {"id": "1", "nom": "secretum"}])
def test_erased_rows_are_in_no_list_of_changes_since_a_version_that_went(town: Town, kept: dict[str, str]) -> None:
    for names in (("un", "deux"), ("un", "secretum"), ("un", "deux", "trois"), ("un", "deux")):
        town.deliver(*names)
    second = town.zones.store.version("aides", 2)
    retention.remove(town.zones.store.backend, second, datetime.now(UTC), None)
    changed = ".odp/public/datasets/aides/versions/{}/changes.parquet"
    assert town.holding(b"secretum") == [changed.format(3)]
    planned = acts.Erasure.planned(town.dataset, town.zones, kept)
    assert planned.said[0] == "version 3: the list of what changed, which has such rows, goes"
    erase(town, **kept)
    assert town.holding(b"secretum") == []
    assert (town.root / changed.format(4)).exists()
    assert town.flaws == []


@pytest.mark.parametrize("earlier", [False, True], ids=["the first", "a second"])
@pytest.mark.parametrize("name", ["aides.parquet", "datapackage.json"])
def test_no_erasure_vouches_for_what_somebody_else_has_written(town: Town, name: str, earlier: bool) -> None:
    first = town.deliver("un", "deux")
    town.deliver("un", "deux", "trois")
    assert isinstance(first, Release)
    if earlier:
        erase(town, id="1")
    file = first.folder / name
    file.chmod(0o644)
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(StoreError, match="nor those of an erasure that was cut short; restore it from a backup"):
        acts.Erasure.planned(town.dataset, town.zones, {"id": "0"})
    file.unlink()
    with pytest.raises(StoreError, match="nor those of an erasure that was cut short"):
        acts.Erasure.planned(town.dataset, town.zones, {"id": "0"})


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("name: nom", "name: prenom", "version 1 has no column prenom: its rows cannot be told and stay"),
        ("id, type: integer", "id, type: number", "version 1 publishes id as another type: if such rows are in it"),
    ],
)
def test_an_erasure_says_of_which_versions_it_cannot_tell_the_rows(town: Town, was: str, now: str, told: str) -> None:
    town.deliver("un", "secretum")
    (town.root / "assets/sports/aides.yaml").write_text(DECLARED.replace(was, now))
    town.town = read_town(town.root)
    delivery = town.root / "depot/aides.csv"
    delivery.write_text(delivery.read_text().replace("nom", now[6:] if "name" in now else "nom"))
    refused = town.run()
    assert isinstance(refused, Verdict)
    town.zones.journal.accept("aides", refused.content_hash, who="moi", because="essai")
    assert isinstance(town.run(), Release)
    condition = {"prenom": "secretum"} if "name" in now else {"id": "1.0"}
    planned = acts.Erasure.planned(town.dataset, town.zones, condition)
    assert planned.said[0] == "version 2: 1 rows go"
    assert planned.said[1].startswith(told)


@pytest.mark.parametrize(("delivered", "asked"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_rows_are_erased_however_their_accents_are_written(town: Town, delivered: Any, asked: Any) -> None:
    name = "Éléonore"
    town.deliver("un", unicodedata.normalize(delivered, name))
    erase(town, nom=unicodedata.normalize(asked, name))
    again = town.deliver("un", *(unicodedata.normalize(form, name) for form in (delivered, asked)), "deux")
    assert isinstance(again, Release)
    assert [one.rows for one in town.zones.store.versions("aides")] == [2, 1, 1]


def test_erasures_of_before_are_still_known(town: Town) -> None:
    town.deliver("un", "deux")
    folder = town.root / ".odp/private/erasures"
    folder.mkdir()
    (folder / "aides.json").write_text('[{"id": "0"}]')
    fresh = town.deliver("un", "deux", "trois")
    assert isinstance(fresh, Release)
    assert fresh.rows == 2


def test_a_class_that_would_become_too_small_is_not_cut(town: Town) -> None:
    file = town.root / "assets/sports/aides.yaml"
    file.write_text(DECLARED.replace("personal_data: none", "personal_data: present\nlegal_basis: essai\nprivacy: "
                                     "{columns: {id: keep, nom: keep}, quasi_identifiers: [nom], k: 5}"))  # fmt: skip
    town.town = read_town(town.root)
    assert isinstance(town.deliver(*["un"] * 5), Release)
    with pytest.raises(StoreError, match="1 classes of version 1 would hold fewer than k = 5 rows"):
        erase(town, id="1")
    assert town.zones.store.current("aides").rows == 5  # type: ignore[union-attr]
    assert town.zones.erasures.of("aides") == []


def test_erasures_say_what_they_do_not_know(town: Town) -> None:
    town.deliver("un")
    for condition, why in (({}, "no row is named"), ({"rue": "x"}, "rue: not published")):
        with pytest.raises(OdpError, match=why):
            acts.Erasure.planned(town.dataset, town.zones, condition)
    none = acts.Erasure.planned(town.dataset, town.zones, {"id": "99"})
    assert none.said[0] == "no version holds such a row"
    act = ["--as", town.who, "--because", "demande", "--town", str(town.root)]
    told = CliRunner().invoke(app, ["erase", "aides", "--where", "id=0", *act])
    assert "version 1: 1 rows go" in told.output
    assert "nothing was done" in told.output
