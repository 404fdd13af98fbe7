"""The watch asks a bucket next to nothing while nothing happens, and sees at once what does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from odpipeline import acts, flow
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.monitoring.looking import look
from odpipeline.monitoring.problems import Cause
from odpipeline.monitoring.records import Records
from odpipeline.operating import metrics
from odpipeline.store.bucket import Bucket
from tests.faulty_proxy import Proxy, faulty_proxy
from tests.s3_server import S3Server
from tests.towns import deliver, write_town

NAMES = tuple(f"jeu-{n}" for n in range(12))
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Watched:
    """A town in a bucket behind a proxy that counts, looked at whenever a test wants."""

    def __init__(self, root: Path, proxy: Proxy, prefix: str) -> None:
        self.root, self.proxy = write_town(root, *NAMES), proxy
        town_file = root / "town.yaml"
        town_file.write_text(
            town_file.read_text()
            + f"""
defaults: {{freshness: {{run: 36 h}}}}
store:
  bucket: opendata
  endpoint: {proxy.endpoint}
  prefix: {prefix}
  internal: true
  access_key: {{id: ODP_S3_ID, secret: ODP_S3_SECRET}}
"""
        )
        self.town = read_town(root)
        self.zones = flow.Zones.of(self.town)
        self.records = Records(self.zones.journal)

    def run(self, name: str) -> None:
        list(flow.recorded(self.town.dataset(name), self.town, self.zones))

    def look(self, after: timedelta = timedelta()) -> tuple[set[tuple[Cause, str]], int]:
        """What is wrong so long from now, as (cause, dataset), and how many requests it took to know."""
        self.proxy.seen.clear()
        found = look(self.town, self.zones, self.records, datetime.now(UTC) + after)
        return {(one.cause, name) for one in found for name in one.datasets}, len(self.proxy.seen)


@pytest.fixture(scope="module")
def counted(s3: S3Server) -> Iterator[Proxy]:
    with faulty_proxy(s3.endpoint) as proxy:
        yield proxy


@pytest.fixture
def watched(tmp_path: Path, counted: Proxy, bucket: Callable[..., Bucket]) -> Watched:
    counted.faults = lambda _method, _path: None
    watched = Watched(tmp_path, counted, str(bucket()._said.prefix))
    for name in NAMES[:3]:
        watched.run(name)
    return watched


def test_a_quiet_round_is_a_handful_of_requests_and_a_bucket_that_is_down_one(watched: Watched) -> None:
    first, many = watched.look()
    assert (first, many >= 2 * len(NAMES)) == (set(), True)
    for minutes in range(1, 5):
        found, few = watched.look(minutes * MINUTE)
        assert (found, few <= 6) == (set(), True)  # one for all, and one dataset in its turn
    watched.proxy.faults = lambda _method, _path: "skewed"
    assert watched.look(5 * MINUTE) == ({(Cause.STORE, name) for name in NAMES}, 1)
    watched.proxy.faults = lambda _method, _path: None
    assert watched.look(6 * MINUTE)[0] == set()


def test_runs_and_acts_are_seen_at_the_next_round(watched: Watched) -> None:
    watched.look()
    deliver(watched.root, "jeu-0", rows=19)
    watched.run("jeu-0")
    watched.run("jeu-3")  # its first
    acts.Rollback.planned(watched.town.dataset("jeu-0"), watched.zones, 1).done(
        watched.town, watched.zones, watched.town.contact, "erreur"
    )
    planned = acts.Withdrawal.planned("jeu-1", watched.zones, None, captures=False)
    planned.done(watched.town, watched.zones, watched.town.contact, "erreur", None, captures=False)
    watched.look(MINUTE)
    seen = watched.records.sightings()
    for name in NAMES:
        release = watched.zones.store.current(name)
        assert seen[name].checked_at == (release.checked_at if release else None), name
    assert seen["jeu-1"].checked_at is None


def test_a_promise_that_breaks_in_a_quiet_time_is_noticed_and_what_mends_it_too(watched: Watched) -> None:
    assert watched.look()[0] == set()
    late = {(Cause.UNCHECKED, name) for name in NAMES[:3]}
    assert watched.look(35 * HOUR)[0] == set()
    assert watched.look(36 * HOUR + MINUTE)[0] == late
    confirmed = watched.zones.store.confirm(watched.zones.store.current("jeu-0"))  # type: ignore[arg-type]
    watched.look(36 * HOUR + 2 * MINUTE)  # no line in the journal says so
    assert watched.records.sightings()["jeu-0"].checked_at == confirmed.checked_at


def test_what_a_hand_broke_is_met_within_the_hour_and_told_until_it_is_mended(watched: Watched) -> None:
    watched.look()
    (watched.root / "assets/sports/jeu-0.yaml").unlink()  # what is declared no more is nobody's turn
    watched.town = read_town(watched.root)
    backend, key = watched.zones.store.backend, "datasets/jeu-2/versions/1/release.json"
    content = backend.read(key)
    assert content is not None
    backend.discard([key])
    with pytest.raises(OdpError):
        watched.zones.store.current("jeu-2")
    rounds = [watched.look(minutes * MINUTE)[0] for minutes in range(1, len(NAMES) + 4)]
    first = next(number for number, found in enumerate(rounds) if found)
    assert {frozenset(found) for found in rounds[first:]} == {frozenset({(Cause.STORE, "jeu-2")})}
    backend.put(key, content)
    assert watched.look(30 * MINUTE)[0] == set()


def test_a_scrape_asks_for_what_may_have_changed_alone(watched: Watched) -> None:
    kept = CollectorRegistry(auto_describe=False)
    kept.register(metrics.TownCollector(watched.town))

    def scraped() -> tuple[dict[str, float], int]:
        watched.proxy.seen.clear()
        families = text_string_to_metric_families(generate_latest(kept).decode())
        told = {one.labels["dataset"]: one.value for family in families for one in family.samples
                if one.name == "odp_dataset_version"}  # fmt: skip
        return told, len(watched.proxy.seen)

    first, many = scraped()
    assert (first, many >= 2 * len(NAMES)) == (dict.fromkeys(NAMES[:3], 1), True)
    assert scraped() == (first, 0)
    deliver(watched.root, "jeu-0", rows=19)
    watched.run("jeu-0")
    assert scraped()[0] == first | {"jeu-0": 2}
    assert scraped()[1] == 0
    planned = acts.Withdrawal.planned("jeu-1", watched.zones, None, captures=False)
    planned.done(watched.town, watched.zones, watched.town.contact, "erreur", None, captures=False)
    assert scraped()[0] == {"jeu-0": 2, "jeu-2": 1}
