"""town.yaml: its own faults."""

import pytest

FAULTY = [
    (("contact:", "contakt:"), "unknown key 'contakt' in town; did you mean 'contact'?"),
    (('siren: "219900001"', "siren: 219900001"), "publisher.siren: expected a text (put a number or a code in quotes)"),
    (('siren: "219900001"', 'siren: "2199"'), "publisher.siren: expected a SIREN number: nine digits in quotes"),
    (("dpo: dpo@ville.example", 'dpo: dpo@ville.example\nnight: {cron: "0 25 * * *"}'),
     ("night.cron: '0 25 * * *' is no cron expression; write minute, hour, day, month and weekday, such as "
     '"0 6 * * 1"')),
    (("dpo: dpo@ville.example", "dpo: dpo@ville.example\ntimezone: Paris"),
     "timezone: not a time zone of the tz database; write one such as Europe/Paris"),
    (("dpo: dpo@ville.example", "dpo: dpo@ville.example\nmemory_limit: beaucoup"),
     "memory_limit: expected an amount of memory, such as 1500MB or 2GB"),
    (("dpo: dpo@ville.example", "dpo: dpo@ville.example\nprivate: .odp/public/prive"),
     "the private zone and the public store lie in each other; give each a folder of its own"),
    (("folder: depot", 'folder: depot, url: "https://x.example"'),
     "the system 'depot' has exactly one of url and folder"),
    (("title: Dépôt, folder: depot", "title: Dépôt"), "the system 'depot' has exactly one of url and folder"),
    (("url: {env: ODP_BASE}", 'url: "postgresql://u:p4ss@base.example/b"'),
     ("systems.base.url: the address holds a user or a password; an address with a password or of a database comes "
     "from the environment: url: {env: ODP_…}")),
    (("url: {env: ODP_BASE}", "url: {env: odp_base}"),
     ("systems.base.url.env: expected the name of an environment variable in capitals, such as ODP_TOKEN, never a "
     "secret")),
    (("url: {env: ODP_BASE}", "url: [a]"), "systems.base.url: expected a text or keys such as {env: …}"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), FAULTY)
def test_a_fault_of_the_town(town, change, message):
    town.town(change)
    faults = [fault.split(": ", 1) for fault in town.faults() if fault.startswith("town.yaml:")]
    assert message in [what for _, what in faults]
    assert all(place.removeprefix("town.yaml:").isdigit() for place, _ in faults)


def test_an_unreadable_town_leaves_the_datasets_checked(town):
    town.write("town.yaml", "publisher: {name: [\n")
    town.parkings(("title:", "titel:"))
    faults = town.faults()
    assert faults[-1] == (
        "town.yaml:2: the YAML cannot be read (did not find expected node content); close the list with ], or the "
        "mapping with }"
    )
    assert any("unknown key 'titel'" in fault for fault in faults)
    assert not any("unknown system" in fault for fault in faults)
