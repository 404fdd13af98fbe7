"""A source names a system of the town that can deliver what it asks."""

import pytest

HTTP = "{http: /v1/parkings, system: api}"

FAULTY = [
    ("{http: /v1, system: apii}", "unknown system 'apii' in source.system; did you mean 'api'?"),
    ("{http: /v1}", "the address is a path; name the system it belongs to with `system:`, or write https://…"),
    ("{http: /v1, system: depot}", "the system 'depot' has no url in town.yaml; a source over HTTP needs one"),
    ('{http: "ftp://x.example/a"}', ("source.http: expected an address https://host/path, or a path /… below the "
                                    "system's address")),
    ('{http: "https://u:p4ss@x.example/a"}', ("source.http: the address holds a user or a password; secrets stay in "
                                             "the environment, name one with `auth:`")),
    ('{http: "https://[::1/a"}', "source.http: the address cannot be read; write https://host/path"),
    ('{rest: /v1, system: api, auth: {password: ODP_P}}',
     "`auth: {password: …}` is no way in over HTTP; name one of bearer, basic, header, oauth2"),
    ('{rest: /v1, system: api, auth: {oauth2: {token_url: /jeton, client_id: ODP_I, client_secret: ODP_S}}}',
     "token_url: expected an address https://host/path"),
    ("{sql: SELECT 1}", "a sql source needs the system that it asks; add `system:` with a name of town.yaml"),
    ("{sql: SELECT 1, system: depot}", "the system 'depot' has no url in town.yaml; a sql source needs one"),
    ("{sql: DELETE FROM t, system: base}", "source.sql: the query must begin with SELECT or WITH; it only reads"),
    ("{sql: \"SELECT 1 INTO /* */ OUTFILE '/tmp/x'\", system: base}",
     "source.sql: the query writes a file on the server (INTO OUTFILE); it only reads"),
    ("{sql: SELECTION, system: base}", "source.sql: the query must begin with SELECT or WITH; it only reads"),
    ('{folder: "../ailleurs/*.csv", system: depot}',
     "source.folder: the path stays below its folder; write it without a leading / and without .."),
    ('{folder: "/etc/*.csv"}',
     "source.folder: the path stays below its folder; write it without a leading / and without .."),
    ('{folder: "*.csv", system: api}', "the system 'api' has no folder in town.yaml; a drop folder needs one"),
]  # fmt: skip

RIGHT = [
    '{http: "https://x.example/a.csv"}',
    '{http: "https://x.example/a.csv", system: api}',
    "{rest: /v1, system: api, auth: {header: {name: X-Api-Key, value: ODP_K}}, paging: {cursor: c, key: meta.next}}",
    '{sql: "-- les aides\\nSELECT 1", system: base}',
    '{sql: "with a as (select 1) select * from a", system: base}',
    '{folder: "energie/*.csv"}',
    '{folder: "*.csv", system: depot}',
]


@pytest.mark.parametrize(("source", "message"), FAULTY)
def test_a_source_that_cannot_deliver(town, source, message):
    town.parkings((HTTP, source))
    assert town.faults() == [f"assets/mobilite/parkings.yaml:4: {message}"]


@pytest.mark.parametrize("source", RIGHT)
def test_a_source_that_can(town, source):
    town.parkings((HTTP, source))
    town.read()


def test_a_faulty_town_does_not_make_its_systems_unknown(town):
    town.town(("dpo: dpo@ville.example\n", ""))
    assert town.faults() == [
        "town.yaml:1: the key 'dpo' is missing in town; add it: The mail address of the data protection officer"
    ]
