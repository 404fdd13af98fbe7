"""A source of dropped files names a system that says how to reach and to trust it."""

import pytest

HTTP = "{http: /v1/parkings, system: api}"
DEPOT = "depot: {title: Dépôt, folder: depot}"
SFTP = 'url: "sftp://ville@sftp.example:22/depot", host_key: ssh-ed25519 AAAA, auth: {password: ODP_SFTP}'
S3 = 'url: "s3://seau/exports", endpoint: "https://s3.example", auth: {access_key: {id: ODP_ID, secret: ODP_SECRET}}'

FAULTY = [
    (SFTP, '{sftp: "*.csv"}', ("a source of the kind sftp needs the system that it reads; add `system:` with a name of "
                              "town.yaml")),
    ('url: "sftp://ville@sftp.example"', '{sftp: "*.csv", system: drop}',
     "the system 'drop' has no host_key and no auth in town.yaml; a source of the kind sftp needs url, host_key, auth"),
    (SFTP, '{sftp: "../*.csv", system: drop}',
     "source.sftp: the path stays below its folder; write it without a leading / and without .."),
    (SFTP, '{s3: "*.csv", system: drop}', ("the system 'drop' has `auth: {password: …}` in town.yaml; a source of the "
                                          "kind s3 is let in by access_key")),
    (S3, '{sftp: "*.csv", system: drop}', ("the system 'drop' has no host_key in town.yaml; a source of the kind sftp "
                                          "needs url, host_key, auth")),
    (S3, '{s3: "/*.csv", system: drop}',
     "source.s3: the path stays below its folder; write it without a leading / and without .."),
]  # fmt: skip


@pytest.mark.parametrize(("system", "source", "message"), FAULTY)
def test_a_drop_that_cannot_be_reached(town, system, source, message):
    town.town((DEPOT, f"{DEPOT}\n  drop: {{title: Dépôt, {system}}}"))
    town.parkings((HTTP, source))
    assert town.faults() == [f"assets/mobilite/parkings.yaml:4: {message}"]


@pytest.mark.parametrize(("system", "source"), [
    (SFTP, '{sftp: "releves_*.csv", system: drop}'),
    (SFTP.replace("password", "key"), '{sftp: "*/releves.csv", system: drop, take: all, settled: 5 min}'),
    (S3, '{s3: "releves_*.parquet", system: drop, take: all}'),
])  # fmt: skip
def test_a_drop_that_can(town, system, source):
    town.town((DEPOT, f"{DEPOT}\n  drop: {{title: Dépôt, {system}}}"))
    town.parkings((HTTP, source))
    town.read()


@pytest.mark.parametrize("url", ["sftp://ville:p4ss@sftp.example/depot", "s3://id:p4ss@seau"])
def test_an_address_holds_no_password(town, url):
    town.town((DEPOT, f'{DEPOT}\n  drop: {{title: Dépôt, url: "{url}"}}'))
    assert town.faults() == [
        (
            "town.yaml:8: systems.drop.url: the address holds a user or a password; an address with a password or of a "
            "database comes from the environment: url: {env: ODP_…}"
        )
    ]
