"""A refusal as it arrives in Mattermost, Slack, Teams and Matrix (Tchap): the text, and no value of the data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.monitoring.rounds import watch
from tests.chat_server import TEAMS, Chats, chat_server
from tests.towns import deliver, write_town

ALERTS = """
alerts:
  settle: 0 s
  digest: "23:59"
  channels:
    mattermost: {url: {env: ODP_TEST_MATTERMOST}}
    slack: {url: {env: ODP_TEST_SLACK}}
    teams: {url: {env: ODP_TEST_TEAMS}}
    tchap: {url: {env: ODP_TEST_TCHAP}}
"""
CELL = "SECRETUM"


@pytest.fixture
def chats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chats]:
    with chat_server(tmp_path) as (server, authority):
        here = f"127.0.0.1:{server.server_port}"
        for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTPS_PROXY", f"http://{here}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        monkeypatch.setenv("ODP_TEST_MATTERMOST", f"mmost://{here}/abcdefghijklmnopqrstuvwxyz")
        monkeypatch.setenv("ODP_TEST_SLACK", "slack://TA1234567/B12345678/abcdefghijklmnopqrstuvwx")
        monkeypatch.setenv("ODP_TEST_TEAMS", f"workflows://{TEAMS}:443/0123456789abcdef0123456789abcdef/signature")
        monkeypatch.setenv("ODP_TEST_TCHAP", f"matrix://robot:passe@{here}/#equipe:ville")
        yield server


def test_a_refusal_reaches_every_chat_as_text_and_takes_no_cell_along(tmp_path: Path, chats: Chats) -> None:
    root = write_town(tmp_path / "ville", "piscines")
    (root / "town.yaml").write_text((root / "town.yaml").read_text() + ALERTS)
    town = read_town(root)
    zones = flow.Zones.of(town)
    deliver(root, "piscines", cell=CELL)
    list(flow.recorded(town.dataset("piscines"), town, zones))
    made = watch(town)
    assert (made.sent, made.waiting) == (4, 0), chats.told
    [mattermost] = chats.messages("/hooks/")
    [slack] = chats.messages("hooks.slack.com/services/")
    [teams] = chats.messages("/workflows/")
    [matrix] = chats.messages("/send/m.room.message")
    for told in (mattermost, slack, teams, matrix):
        text = json.dumps(told, ensure_ascii=False)
        assert "[odp Ville d’Essai] piscines: " in text
        assert "odp quarantine piscines" in text
        assert "The public sees: nothing" in text
    everything = json.dumps(chats.told, ensure_ascii=False)
    assert CELL not in everything
    watch(town)
    assert len(chats.messages("/hooks/")) == 1


@pytest.mark.parametrize("reader", ["engineer", "owner"])
def test_what_a_delivery_names_its_columns_is_no_mention_and_no_link_in_any_chat(
    tmp_path: Path, chats: Chats, reader: str
) -> None:
    root = write_town(tmp_path / "ville", "piscines")
    ways = "  routes: [{to: [mattermost, slack, teams, tchap], text: READER}]\n".replace("READER", reader)
    (root / "town.yaml").write_text((root / "town.yaml").read_text() + ALERTS + ways)
    declaration = root / "assets/sports/piscines.yaml"
    roles = "privacy: {columns: {jour: keep, piscine: keep, entrees: keep}}"
    roles = f"personal_data: present\nlegal_basis: CRPA L312-1-2\n{roles}"
    declaration.write_text(declaration.read_text().replace("personal_data: none", roles))
    named = "<at>tous</at> @all <!channel> [clic](http://mal.example) `x`"
    (root / "depot/piscines.csv").write_text(f"jour,piscine,entrees,{named}\n2026-10-01,Bassin,3,4\n")
    town = read_town(root)
    with pytest.raises(OdpError):
        list(flow.recorded(town.dataset("piscines"), town, flow.Zones.of(town)))
    assert watch(town).sent == 4, chats.told
    told = json.dumps(chats.told, ensure_ascii=False)
    assert told.count("the delivery has new columns: ‹at›tous‹/at›") == 4
    assert not any(sign in told for sign in ("<at>", "@all", "@everyone", "!channel>", "](http", "`x`", "mentioned"))
    assert reader == "engineer" or told.count("en cause\u00a0: donnees@ville.example") == 4
