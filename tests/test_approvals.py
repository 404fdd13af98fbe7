"""`approval: dpo`: a complete release waits for a person, who says yes to exactly its bytes, or it is not published."""

import getpass
import json
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from odpipeline import approving, flow
from odpipeline.declaration import read_town
from odpipeline.errors import ApprovalRefused, DeclarationErrors, OdpError
from odpipeline.landing import sealing
from odpipeline.orchestration.building import definitions
from tests import commands
from tests.towns import PISCINES, TOWN, deliver, published_bytes, write_town

APPROVED = PISCINES + "approval: dpo\nauthor: ingenieur@ville.example\n"
DPO = "dpo@ville.example"


@pytest.fixture
def folder(tmp_path):
    return write_town(tmp_path, "piscines", declaration=APPROVED)


def opened(folder):
    town = read_town(folder)
    return town, town.dataset("piscines"), flow.Zones.of(town)


def run(folder):
    town, dataset, zones = opened(folder)
    list(flow.recorded(dataset, town, zones))
    return zones.journal.last("piscines").outcome


def waiting(folder):
    return opened(folder)[2].waiting.get("piscines")


def approve(folder, content_hash=None, who=DPO, because="vérifié"):
    town, dataset, zones = opened(folder)
    content_hash = content_hash or zones.waiting.get("piscines").staged.content_hash
    return flow.approve(dataset, town, zones, content_hash, who, because)


def test_nothing_is_public_before_the_yes_and_exactly_what_waited_is_public_after_it(folder):
    assert run(folder) == "held"
    assert published_bytes(folder) == {}
    held = waiting(folder)
    release = approve(folder, held.staged.content_hash[:12])
    assert (release.version, release.content_hash) == (1, held.staged.content_hash)
    assert set(release.files) >= set(held.staged.files)
    assert waiting(folder) is None


def test_the_journal_keeps_who_in_which_role_from_which_account_and_why(folder):
    run(folder)
    approve(folder)
    _, _, zones = opened(folder)
    (yes,) = zones.journal.approvals("piscines")
    assert (yes.who, yes.role, yes.account, yes.because) == (DPO, "dpo", getpass.getuser(), "vérifié")
    assert zones.journal.last("piscines").reasons == ("approved in the role dpo",)


def test_changed_bytes_need_a_new_yes_and_unchanged_ones_none(folder):
    run(folder)
    approve(folder)
    assert run(folder) == "unchanged"
    deliver(folder, "piscines", rows=21)
    assert run(folder) == "held"
    assert opened(folder)[2].store.current("piscines").version == 1
    assert approve(folder).version == 2


def test_a_hash_of_another_content_is_refused(folder):
    run(folder)
    with pytest.raises(ApprovalRefused, match="another content than this waits"):
        approve(folder, "0" * 64)
    with pytest.raises(ApprovalRefused, match="another content than this waits"):
        approve(folder, waiting(folder).staged.content_hash[:11])


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("maire@ville.example", "is not in the role dpo"),
        ("INGENIEUR@ville.example", "who wrote the declaration"),
    ],
)
def test_only_a_person_of_the_role_who_did_not_write_the_declaration_can_say_yes(folder, who, said):
    (folder / "town.yaml").write_text(TOWN + "roles: {dpo: [dpo@ville.example, ingenieur@ville.example]}\n")
    run(folder)
    with pytest.raises(ApprovalRefused, match=said):
        approve(folder, who=who)
    assert published_bytes(folder) == {}


def test_a_person_with_an_account_approves_from_no_other(folder):
    (folder / "town.yaml").write_text(TOWN + "roles: {dpo: [{mail: dpo@ville.example, account: personne}]}\n")
    run(folder)
    with pytest.raises(ApprovalRefused, match="from another account"):
        approve(folder)


def test_what_has_waited_too_long_is_refused_and_swept(folder):
    run(folder)
    town, _, zones = opened(folder)
    file = folder / ".odp/private/held/piscines/held.json"
    said = json.loads(file.read_text())
    said["expires_at"] = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    file.write_text(json.dumps(said))
    with pytest.raises(ApprovalRefused, match="has waited in vain"):
        approve(folder)
    flow.sweep(town, zones)
    assert waiting(folder) is None


def test_a_yes_counts_for_the_declaration_under_which_the_release_was_made(folder):
    run(folder)
    file = folder / "assets/sports/piscines.yaml"
    file.write_text(file.read_text().replace("Entrées par piscine", "Entrées, par piscine"))
    with pytest.raises(ApprovalRefused, match="the declaration has changed"):
        approve(folder)


def test_a_yes_counts_for_the_release_that_was_public_when_it_was_made(folder):
    run(folder)
    file = folder / "assets/sports/piscines.yaml"
    text = file.read_text()
    file.write_text(text.replace("approval: dpo\n", ""))
    assert run(folder) == "published"
    assert waiting(folder) is None
    deliver(folder, "piscines", rows=22)
    file.write_text(text)
    assert run(folder) == "held"
    kept = waiting(folder)
    file.write_text(text.replace("approval: dpo\n", ""))
    deliver(folder, "piscines", rows=23)
    run(folder)
    file.write_text(text)
    _, dataset, zones = opened(folder)
    with pytest.raises(ApprovalRefused, match="another version was published"):
        approving.ready(kept, dataset, zones.store.current("piscines"), kept.staged.content_hash)


def test_altered_bytes_are_never_published(folder):
    run(folder)
    csv = folder / ".odp/private/held/piscines/piscines.csv"
    csv.write_bytes(csv.read_bytes().replace(b"Bassin 0", b"Bassin 9"))
    with pytest.raises(OdpError):
        approve(folder)
    assert published_bytes(folder) == {}


def test_what_is_missing_of_what_waits_is_said(folder):
    run(folder)
    (folder / ".odp/private/held/piscines/piscines.csv").unlink()
    with pytest.raises(OdpError, match="the release that waits is damaged"):
        approve(folder)


def test_what_waits_is_sealed_with_the_private_zone(folder, monkeypatch):
    monkeypatch.setenv("ODP_KEY", sealing.new_key())
    (folder / "town.yaml").write_text(TOWN + "private_key: ODP_KEY\n")
    run(folder)
    kept = folder / ".odp/private/held/piscines"
    assert {file.name for file in kept.iterdir()} == {
        "held.json", "piscines.csv.age", "piscines.parquet.age", "datapackage.json.age",
        "piscines.csv-metadata.json.age",
    }  # fmt: skip
    assert approve(folder).version == 1


def test_what_is_refused_for_another_reason_does_not_wait(folder):
    run(folder)
    approve(folder)
    deliver(folder, "piscines", rows=4)
    assert run(folder) == "refused"
    assert waiting(folder) is None


def test_a_yes_whose_publication_was_cut_counts_in_the_next_run(folder):
    run(folder)
    town, dataset, zones = opened(folder)
    held = zones.waiting.get("piscines")
    zones.journal.approve(approving.signed(held, dataset, town, DPO, "vérifié"))
    assert run(folder) == "published"


def test_the_source_going_back_to_what_is_public_ends_the_waiting(folder):
    run(folder)
    approve(folder)
    before = (folder / "depot/piscines.csv").read_bytes()
    deliver(folder, "piscines", rows=21)
    run(folder)
    (folder / "depot/piscines.csv").write_bytes(before)
    assert run(folder) == "unchanged"
    assert waiting(folder) is None


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("approval: elu\nauthor: a@b.example\n", "unknown role 'elu'"),
        ("approval: dpo\n", "say who that is in `author`"),
        ("approval: dpo\nauthor: dpo@ville.example\n", "the author is the only one in the role 'dpo'"),
        ("approval: {role: dpo, until: 3 days}\nauthor: a@b.example\n", "unknown key 'until'"),
    ],
)
def test_an_approval_that_nobody_could_give_is_a_fault_of_the_declaration(tmp_path, said, fault):
    write_town(tmp_path, "piscines", declaration=PISCINES + said)
    with pytest.raises(DeclarationErrors, match=fault):
        read_town(tmp_path)


def test_the_commands_hold_show_and_publish(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    def odp(*words):
        return commands.odp(*words, "--town", str(folder))

    held = odp("run", "--json")
    assert held.returncode == 5
    (row,) = json.loads(held.stdout)
    assert row["verdict"] == "held"
    named = waiting(folder).staged.content_hash[:12]
    assert f"odp approve piscines {named} --as … --because …" in row["reason"]
    assert json.loads(odp("approvals", "--json").stdout)[0]["content"] == named
    odp("approvals", "piscines", "--look", str(tmp_path / "look"))
    assert (tmp_path / "look/piscines.csv").read_bytes().startswith(b"jour,piscine,entrees")
    done = odp("approve", "piscines", named, "--as", DPO, "--because", "vérifié")
    assert (done.returncode, done.stdout.strip()) == (0, "approved and published: version 1, 20 rows")
    assert DPO in odp("approvals", "piscines").stdout


def test_dagster_waits_without_failing_and_can_say_yes(folder):
    town, _, zones = opened(folder)
    stages = [dg.AssetKey(["piscines", stage]) for stage in ("captured", "conformed", "staged", "published")]
    with dg.DagsterInstance.ephemeral() as instance:
        built = definitions(town)
        held = built.resolve_job_def("frequent").execute_in_process(instance=instance, asset_selection=stages)
        assert held.success
        assert stages[-1] not in {event.asset_key for event in held.get_asset_materialization_events()}
        named = zones.waiting.get("piscines").staged.content_hash
        said = {"dataset": "piscines", "content_hash": named, "approver": DPO, "because": "vérifié"}
        config = {"ops": {"say_yes": {"config": said}}}
        job = built.resolve_job_def("approve")
        assert job.execute_in_process(instance=instance, run_config=config).success
        assert not job.execute_in_process(instance=instance, run_config=config, raise_on_error=False).success
    assert zones.store.current("piscines").version == 1
