"""The systems answer as municipal systems do."""

import pytest
import requests

from tests.simulators_town import reading


@pytest.fixture
def first(night):
    return night(1)


def get(environment, variable, path, **headers):
    return requests.get(environment[variable] + path, headers=headers, timeout=10)


def parkings(environment, path="/v1/parkings", **headers):
    token = f"Bearer {environment['ODP_STATIONNEMENT_TOKEN']}"
    return get(environment, "ODP_STATIONNEMENT_URL", path, Authorization=token, **headers)


def test_car_parks_want_the_token(first):
    assert get(first, "ODP_STATIONNEMENT_URL", "/v1/parkings").status_code == 401
    wrong = get(first, "ODP_STATIONNEMENT_URL", "/v1/parkings", Authorization="Bearer autre")
    assert (wrong.status_code, wrong.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_car_parks_come_in_three_pages(first):
    pages = [parkings(first, f"/v1/parkings?page={number}").json() for number in (1, 2, 3)]
    assert [len(page["results"]) for page in pages] == [4, 4, 2]
    assert [page["next"] for page in pages] == ["/v1/parkings?page=2", "/v1/parkings?page=3", None]
    assert {page["total"] for page in pages} == {10}


@pytest.mark.parametrize("wanted", ["4", "0", "-1", "deux"])
def test_a_page_that_is_not_there_is_a_404(first, wanted):
    assert parkings(first, f"/v1/parkings?page={wanted}").status_code == 404


def test_car_parks_that_did_not_change_are_a_304(first):
    tag = parkings(first).headers["ETag"]
    again = parkings(first, **{"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert parkings(first, **{"If-None-Match": '"autre"'}).status_code == 200


def test_the_tag_of_the_first_page_speaks_for_all(night):
    first, second = ([r["places_libres"] for r in reading.parkings(night(n))] for n in (1, 2))
    assert first != second
    assert parkings(night(1)).headers["ETag"] != parkings(night(2)).headers["ETag"]


def test_traffic_is_nested(first):
    document = get(first, "ODP_TRAFIC_URL", "/etat").json()
    assert len(document["data"]["troncons"]) == 60
    assert document["horodatage"] == "2026-11-25T02:30:00+01:00"


def test_counts_are_csv_with_a_tag(first):
    answer = get(first, "ODP_COMPTAGES_URL", "/export/comptages.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    tagged = {"If-None-Match": answer.headers["ETag"]}
    assert get(first, "ODP_COMPTAGES_URL", "/export/comptages.csv", **tagged).status_code == 304


def test_another_path_is_a_404_and_a_head_has_no_body(first):
    assert get(first, "ODP_ETATCIVIL_URL", "/naissances.csv").status_code == 404
    head = requests.head(first["ODP_ETATCIVIL_URL"] + "/prenoms.csv", timeout=10)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(reading.first_names(first))


def test_servers_stop_with_the_block(tmp_path):
    from tests.simulators import systems

    with systems(1, tmp_path) as environment:
        pass
    with pytest.raises(requests.ConnectionError):
        get(environment, "ODP_ETATCIVIL_URL", "/prenoms.csv")
