"""Only the declared host is contacted, never the inside of the network by surprise, and the token goes nowhere else."""

import ipaddress
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odpipeline.declaration.source import HttpSource
from odpipeline.errors import OdpError, SecretMissing, SourceError, SourceUnavailable
from odpipeline.sources import guard, web
from tests.servers import http_server, tls_server

CSV = b"id;places\nA;12\n"


def source(address, **more):
    return HttpSource(http=address, **({"internal": True} | more))


def redirect(target):
    return lambda visit: visit.say(302, Location=target)


def test_a_redirect_on_the_same_host_is_followed(server, order):
    server.answers |= {"/old": redirect("new/p.csv"), "/new/p.csv": lambda visit: visit.say(200, CSV)}
    delivery = web.extract(source(server.at("/old")), order())
    assert (delivery.path.read_bytes(), delivery.name) == (CSV, "p.csv")


def test_a_redirect_to_another_host_is_not_followed(server, order, monkeypatch):
    monkeypatch.setenv("ODP_TOKEN", "jeton")
    with http_server() as other:
        server.answers["/p.csv"] = redirect(f"http://localhost:{other.server_port}/p.csv?cle=secrete")
        with pytest.raises(SourceError) as error:
            web.extract(source(server.at("/p.csv"), auth={"bearer": "ODP_TOKEN"}), order())
        assert other.visits == []
    there = f"http://localhost:{other.server_port}"
    assert str(error.value) == (
        f"{there}/p.csv: the answer leads from {server.at('')} to {there}, which is not declared; "
        f"declare {there} as the source's or the system's address if that is where the data now is"
    )


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/p.csv", "file:///etc/passwd", "//127.0.0.2/x", "http://["])
def test_a_redirect_elsewhere_is_not_followed(server, order, target):
    server.answers["/p.csv"] = redirect(target)
    with pytest.raises(SourceError):
        web.extract(source(server.at("/p.csv")), order())


def test_the_body_of_a_redirect_is_not_read(server, order):
    def endless(visit):
        visit.say(302, b"x", Location="/new.csv", Content_Length="1000000000000")
        time.sleep(1.5)

    server.answers |= {"/p.csv": endless, "/new.csv": lambda visit: visit.say(200, CSV)}
    assert web.extract(source(server.at("/p.csv"), timeout="1 s"), order()).path.read_bytes() == CSV


def test_a_circle_of_redirects_ends(server, order):
    server.answers["/p.csv"] = redirect("/p.csv")
    with pytest.raises(SourceError, match=r"redirects more than 5 times; write the final address in assets/"):
        web.extract(source(server.at("/p.csv")), order())
    assert len(server.visits) == 6


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_inside_of_the_network_is_refused_unless_declared(server, order, host):
    with pytest.raises(SourceError) as error:
        web.extract(source(f"http://{host}:{server.server_port}/p.csv", internal=False), order())
    assert str(error.value) == (
        f"http://{host}:{server.server_port}: the host resolves to an address inside the network (loopback, "
        "link-local, private or reserved); say `internal: true` for the source or its system if it really is one of "
        "the town's own"
    )
    assert server.visits == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "2002:0a00:0001::1",
     "64:ff9b::a00:1", "2001:db8::1"],
)  # fmt: skip
def test_addresses_that_are_not_public(address):
    assert not guard.is_public(address)


@pytest.mark.parametrize("address", ["9.9.9.9", "2001:4860:4860::8888", "::ffff:9.9.9.9", "64:ff9b::909:909"])
def test_addresses_that_are_public(address):
    assert guard.is_public(address)


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_in_ipv6_changes_nothing(address):
    for wrapped in (f"::ffff:{address}", str(ipaddress.IPv6Address(0x64FF9B << 96 | int(address)))):
        assert guard.is_public(wrapped) == guard.is_public(str(address))


@pytest.mark.parametrize(
    ("declared", "led"),
    [("https://a.fr", "http://a.fr/x"), ("https://a.fr", "https://b.a.fr/x"), ("https://a.fr", "https://a.fr:8443/x"),
     ("http://a.fr:8080", "https://a.fr/x"), ("https://a.fr", "https://a.fr@b.fr/"), ("https://a.fr", "https://a.fr.b.fr/"),
     ("https://a.fr", "https://u:p@a.fr/"), ("https://a.fr", "ftp://a.fr/"), ("https://a.fr", "https:///x")],
)  # fmt: skip
def test_another_origin_does_not_pass(declared, led):
    with pytest.raises(SourceError):
        guard.Origin.of(declared).check(led)


def test_the_same_origin_and_its_https_twin_pass():
    guard.Origin.of("https://A.fr.").check("https://a.fr:443/x")
    guard.Origin.of("http://a.fr").check("https://a.fr/x")


@given(st.text(max_size=30))
def test_any_text_is_an_origin_or_a_message(text):
    for address in (text, f"http://{text}", f"https://a.fr{text}"):
        try:
            guard.Origin.of("https://a.fr").check(address)
        except OdpError as error:
            assert error.mend  # noqa: PT017 - both ways are good
        else:
            assert guard.parse_url(address).host.rstrip(".") == "a.fr"


def test_a_password_in_the_address_is_refused_and_not_shown(order):
    with pytest.raises(SourceError) as error:
        web.extract(source("https://moi:motdepasse@ville.example/p.csv"), order())
    assert str(error.value) == (
        "https://ville.example/p.csv: the address holds a user name or password; take it out; "
        "name the environment variables that hold them under `auth`"
    )


def test_a_whole_address_must_be_the_systems(order):
    with pytest.raises(SourceError, match="which is not declared"):
        web.extract(source("https://ailleurs.example/p.csv"), order(url="https://ville.example/api"))


def test_the_token_is_sent(server, order, monkeypatch):
    monkeypatch.setenv("ODP_TOKEN", "jeton\n")
    server.answers["/p.csv"] = lambda visit: visit.say(200, CSV)
    web.extract(
        HttpSource(http="/p.csv", system="x"), order(url=server.at(""), internal=True, auth={"bearer": "ODP_TOKEN"})
    )
    assert server.visits[0].headers["Authorization"] == "Bearer jeton"


def test_a_refused_token_is_named_not_shown(server, order, monkeypatch):
    monkeypatch.setenv("ODP_TOKEN", "jeton")
    server.answers["/p.csv"] = lambda visit: visit.say(401)
    with pytest.raises(SourceError) as error:
        web.extract(source(server.at("/p.csv"), auth={"bearer": "ODP_TOKEN"}), order())
    assert str(error.value).endswith("check what ODP_TOKEN holds, for `auth` in assets/mobilite/parkings.yaml:6")


def test_a_missing_token_is_asked_for_before_anything_is_sent(server, order, monkeypatch):
    monkeypatch.delenv("ODP_TOKEN", raising=False)
    with pytest.raises(SecretMissing) as error:
        web.extract(source(server.at("/p.csv"), auth={"bearer": "ODP_TOKEN"}), order())
    assert str(error.value).startswith(
        f"{server.at('/p.csv')}: the environment variable ODP_TOKEN is not set, and the way into the source"
    )
    assert server.visits == []


def test_a_token_with_a_line_break_is_not_shown(server, order, monkeypatch):
    monkeypatch.setenv("ODP_TOKEN", "jet\non")
    with pytest.raises(SourceError, match="what ODP_TOKEN holds has characters that HTTP does not allow"):
        web.extract(source(server.at("/p.csv"), auth={"bearer": "ODP_TOKEN"}), order())


def test_proxies_and_netrc_of_the_environment_are_ignored(server, order, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login moi password motdepasse\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server.answers["/p.csv"] = lambda visit: visit.say(200, CSV)
    web.extract(source(server.at("/p.csv")), order())
    assert server.visits[0].headers["Authorization"] is None


@pytest.fixture
def tls(tmp_path):
    with tls_server(tmp_path) as (server, authority):
        server.answers["/p.csv"] = lambda visit: visit.say(200, CSV)
        yield server, authority


def test_an_untrusted_certificate_is_refused(tls, order):
    server, _ = tls
    with pytest.raises(SourceError, match="the system's TLS certificate cannot be trusted; have its certificate"):
        web.extract(source(f"https://localhost:{server.server_port}/p.csv"), order())


def test_the_certificate_is_checked_for_the_name_not_the_pinned_address(tls, order, monkeypatch):
    server, authority = tls
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    web.extract(source(f"https://localhost:{server.server_port}/p.csv"), order())
    with pytest.raises(SourceError, match="the system's TLS certificate cannot be trusted"):
        web.extract(source(f"https://127.0.0.1:{server.server_port}/p.csv"), order())


def test_an_expired_certificate_is_refused_although_its_authority_is_trusted(order, monkeypatch, tmp_path):
    with tls_server(tmp_path, days=-1) as (server, authority):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        with pytest.raises(SourceError, match="certificate cannot be trusted; have its certificate renewed") as error:
            web.extract(source(f"https://localhost:{server.server_port}/p.csv"), order())
        assert not isinstance(error.value, SourceUnavailable)
        assert server.visits == []
