"""Objects of a bucket: what is taken, what is left unread, whose key is used, and what each fault says."""

import dataclasses
import datetime
import os
import ssl
import uuid
import zipfile

import obstore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from odpipeline import flow, sources
from odpipeline.declaration import read_town
from odpipeline.declaration.source import S3Source
from odpipeline.errors import OdpError, SecretMissing, SourceError, SourceUnavailable
from odpipeline.sources import Unchanged, Validators, s3
from tests.s3_server import KEY, SECRET, s3_server
from tests.towns import PISCINES, write_town


@pytest.fixture(scope="session")
def lake():
    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(monkeypatch):
    """A bucket with a prefix of this test alone, and the key that opens the server."""
    monkeypatch.setenv("ODP_S3_ID", KEY)
    monkeypatch.setenv("ODP_S3_SECRET", SECRET)
    return f"essai/{uuid.uuid4().hex}"


@pytest.fixture
def put(lake, bucket):
    """Puts an object below the prefix."""

    def put(key, content=b"id;kwh\n1;2\n"):
        name, _, prefix = bucket.partition("/")
        obstore.put(lake.bucket(name), f"{prefix}/{key}", content)

    return put


@pytest.fixture
def placed(lake, bucket, order):
    """An order for the bucket; what is given replaces what its system says."""

    def make(since=None, **system):
        auth = {"access_key": {"id": "ODP_S3_ID", "secret": "ODP_S3_SECRET"}}
        said = {"url": f"s3://{bucket}", "endpoint": lake.endpoint, "region": "fr-test", "auth": auth,
                "internal": True}  # fmt: skip
        return order(since=since, **(said | system))

    return make


def fetch(order, pattern="releves*.csv", **said):
    return s3.extract(S3Source(s3=pattern, **said), order)


def again(delivery):
    return Validators(delivery.etag, delivery.last_modified, "", delivery.asked)


def test_the_newest_object_is_taken(put, placed):
    put("releves_9.csv", b"vieux")
    put("autre.csv", b"autre")
    put("sous/releves_3.csv", b"plus bas")
    put("releves_1.csv", b"neuf")
    delivery = fetch(placed())
    assert delivery.path.read_bytes() in (b"neuf", b"vieux")  # the server's times are whole seconds
    assert oct(delivery.path.stat().st_mode)[-3:] == "600"


def test_wildcards_in_folders_and_an_address_without_a_prefix(put, placed, bucket):
    put("2026/releves.csv", b"2026")
    put("2026/plus/releves.csv", b"trop bas")
    assert fetch(placed(url="s3://essai"), f"{bucket[6:]}/*/releves.csv").path.read_bytes() == b"2026"


def test_a_larger_object_comes_whole(put, placed):
    content = os.urandom(1 << 20) * 12
    put("releves.csv", content)
    assert fetch(placed(), "releves.csv").path.read_bytes() == content


def test_the_same_object_is_not_read_again(put, placed):
    put("releves.csv")
    first = fetch(placed())
    first.path.unlink()
    put("releves.csv")
    assert fetch(placed(since=again(first))) == Unchanged("same ETag")
    assert not first.path.exists()


def test_another_content_is_read(put, placed):
    put("releves.csv", b"avant")
    first = fetch(placed())
    put("releves.csv", b"apres")
    assert fetch(placed(since=again(first))).path.read_bytes() == b"apres"


def test_all_objects_come_as_one_bundle(put, placed):
    put("releves_b.csv", b"b")
    put("releves_a.csv", b"a")
    first = fetch(placed(), take="all")
    with zipfile.ZipFile(first.path) as bundle:
        assert {name: bundle.read(name) for name in bundle.namelist()} == {"0001.csv": b"a", "0002.csv": b"b"}
    assert fetch(placed(since=again(first)), take="all") == Unchanged("same ETag")
    put("releves_c.csv", b"c")
    assert fetch(placed(since=again(first)), take="all").etag != first.etag


def test_no_object_matches_and_none_is_named(put, placed):
    put("autre_Dupont.csv")
    with pytest.raises(SourceError) as error:
        fetch(placed())
    assert str(error.value).startswith("releves*.csv: no file matches; have the file dropped")


@pytest.mark.parametrize("pattern", ["releves.csv", "releves*.csv"])
def test_a_bucket_that_is_not_there(placed, pattern):
    with pytest.raises(SourceError, match=r"there is no such object or bucket|no file matches"):
        fetch(placed(), pattern)


@pytest.mark.parametrize("pattern", ["../secret.csv", "a/../../secret.csv", "/etc/*"])
def test_a_pattern_may_not_climb_out(placed, pattern):
    with pytest.raises(SourceError, match="the pattern leads out of the drop folder"):
        fetch(placed(), pattern)


def test_a_wrong_secret_is_not_shown(put, placed, monkeypatch):
    put("releves.csv")
    monkeypatch.setenv("ODP_S3_SECRET", "faux-mot")
    with pytest.raises(SourceError, match="the store does not let us in; check the variables of `auth`") as error:
        fetch(placed())
    assert not isinstance(error.value, SourceUnavailable)
    assert "faux-mot" not in str(error.value)


def test_a_key_that_is_not_set(placed, monkeypatch):
    monkeypatch.delenv("ODP_S3_SECRET")
    with pytest.raises(SecretMissing, match="ODP_S3_SECRET is not set"):
        fetch(placed())


def test_a_system_without_a_key_takes_none_from_the_machine(put, placed, monkeypatch):
    put("releves.csv")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with pytest.raises(SourceError, match="an S3 source needs an access key; say `auth: "):
        fetch(placed(auth=None))


def test_the_inside_of_the_network_must_be_declared(placed):
    with pytest.raises(SourceError, match="the host resolves to an address inside the network"):
        fetch(placed(internal=False))


@pytest.mark.parametrize("url", ["https://ville.example", "s3://", "s3://id:secret@seau", "s3://seau:x"])
def test_an_address_that_is_none(placed, url):
    with pytest.raises(SourceError, match="the address is not one of a bucket; write s3://bucket") as error:
        fetch(placed(url=url))
    assert "secret" not in str(error.value)


def test_an_object_beyond_the_limit(put, placed):
    put("releves.csv", b"x" * 2000)
    with pytest.raises(SourceError, match="the delivery is larger than the 1,000 bytes that are taken"):
        fetch(placed(), max_bytes=1000)


def test_a_store_that_is_not_there(placed):
    with pytest.raises(SourceUnavailable, match="the store cannot be asked, at the third try neither"):
        fetch(placed(endpoint="http://127.0.0.1:1"))


AMBIENT = {
    "AWS_ACCESS_KEY_ID": "AMBIENT", "AWS_SECRET_ACCESS_KEY": "AMBIENT", "AWS_SESSION_TOKEN": "AMBIENT",
    "AWS_SKIP_SIGNATURE": "true", "AWS_REQUEST_PAYER": "true", "AWS_REGION": "ambient", "AWS_PROFILE": "ambient",
    "AWS_DEFAULT_REGION": "ambient", "AWS_BUCKET": "ambient", "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    "AWS_UNSIGNED_PAYLOAD": "true", "AWS_S3_EXPRESS": "true", "AWS_ROLE_ARN": "ambient",
    "AWS_SERVER_SIDE_ENCRYPTION": "sse-c",
    "AWS_SSE_CUSTOMER_KEY_BASE64": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
}  # fmt: skip


@pytest.fixture
def ambient(server, monkeypatch):
    """A machine whose AWS environment and proxy point to `server`."""
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_METADATA_ENDPOINT", "HTTP_PROXY",
                 "http_proxy", "ALL_PROXY", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):  # fmt: skip
        monkeypatch.setenv(name, server.at(""))
    return server


def test_nothing_of_the_machines_own_aws_has_a_say(put, placed, request):
    put("releves.csv", b"x")
    ambient = request.getfixturevalue("ambient")
    assert fetch(placed(), "releves*.csv").path.read_bytes() == b"x"
    assert ambient.visits == []


LISTED = """<ListBucketResult><Contents><Key>releves.csv</Key><Size>100000</Size><ETag>"a"</ETag>
<LastModified>2026-10-21T07:28:00.000Z</LastModified></Contents></ListBucketResult>"""


@pytest.fixture
def false(server, bucket, order):
    """An order for a bucket of `server`, which answers as each test wants."""
    server.answers["/seau"] = lambda visit: visit.say(200, LISTED)
    auth = {"access_key": {"id": "ODP_S3_ID", "secret": "ODP_S3_SECRET"}}
    return order(url="s3://seau", endpoint=server.at(""), region="fr-test", auth=auth, internal=True)


def test_only_the_declared_key_is_sent(false, ambient):
    with pytest.raises(SourceError):
        fetch(false)
    listing, reading = ambient.visits
    for visit in (listing, reading):
        assert f"Credential={KEY}/" in visit.headers["Authorization"]
        assert "/fr-test/s3/aws4_request" in visit.headers["Authorization"]
        assert {name.lower() for name in visit.headers} <= {
            "accept", "host", "user-agent", "authorization", "x-amz-date", "x-amz-content-sha256", "if-match",
        }  # fmt: skip


def test_a_redirect_to_another_host_is_not_followed(false, server):
    elsewhere = server.at("/dedans").replace("127.0.0.1", "localhost")
    server.answers["/seau/releves.csv"] = lambda visit: visit.say(307, Location=elsewhere)
    server.answers["/dedans"] = lambda visit: visit.say(200, b"x" * 100_000)
    with pytest.raises(SourceUnavailable):
        fetch(false)
    assert {visit.path for visit in server.visits} == {"/seau?list-type=2", "/seau/releves.csv"}


@pytest.mark.parametrize("told_bytes", [100_000, 1_000])
def test_an_answer_that_breaks_off_is_no_delivery(false, server, told_bytes):
    headers = {"Content_Length": str(told_bytes), "ETag": '"a"', "Last_Modified": "Wed, 21 Oct 2026 07:28:00 GMT"}
    server.answers["/seau/releves.csv"] = lambda visit: visit.say(200, b"x" * 1_000, **headers)
    with pytest.raises(SourceUnavailable):
        fetch(false)


def test_an_object_that_was_replaced_since_it_was_listed_waits(false, server):
    server.answers["/seau/releves.csv"] = lambda visit: visit.say(412)
    with pytest.raises(SourceUnavailable, match="an object was replaced while it was read"):
        fetch(false)
    assert server.visits[-1].headers["If-Match"] == '"a"'


def test_a_store_that_does_not_answer_as_one(false, server):
    server.answers["/seau"] = lambda visit: visit.say(200, "<html>Dupont</html>")
    with pytest.raises(OdpError) as error:
        fetch(false)
    assert "Dupont" not in str(error.value)


@pytest.fixture
def tls(tmp_path, server):
    """`server` behind TLS, as `localhost`; the path of the authority that signed it."""
    now, key, ours = datetime.datetime.now(datetime.UTC), *(ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Ville")])
    signed = {}
    for name, public, ca in ((authority, ours, True), (x509.Name([]), key, False)):
        built = x509.CertificateBuilder(authority, name, public.public_key(), 1 + ca, now, now + datetime.timedelta(1))
        built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=True)
        built = built.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        signed[ca] = built.sign(ours, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    pkcs8, clear = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, clear) + signed[False])
    (tmp_path / "ca.pem").write_bytes(signed[True])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return tmp_path / "ca.pem"


def test_a_private_authority_is_trusted_only_when_it_is_named(false, server, tls, monkeypatch):
    endpoint = server.at("").replace("http://127.0.0.1", "https://localhost")
    headers = {"ETag": '"a"', "Last_Modified": "Wed, 21 Oct 2026 07:28:00 GMT"}
    server.answers["/seau/releves.csv"] = lambda visit: visit.say(200, b"x" * 100_000, **headers)
    order = dataclasses.replace(false, system=false.system.model_copy(update={"endpoint": endpoint}))
    with pytest.raises(SourceError, match="the store's TLS certificate cannot be trusted"):
        fetch(order)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls))
    assert fetch(order).path.stat().st_size == 100_000


TOWN = """
systems:
  lac:
    title: Lac de données
    url: s3://{bucket}
    endpoint: {endpoint}
    region: fr-test
    auth: {{access_key: {{id: ODP_S3_ID, secret: ODP_S3_SECRET}}}}
    internal: true
"""


@pytest.fixture
def piscines(lake, bucket, tmp_path):
    source = '{s3: "piscines_*.csv", system: lac}'
    folder = write_town(tmp_path, "piscines", declaration=PISCINES.replace('{folder: "depot/NAME.csv"}', source))
    with (folder / "town.yaml").open("a") as file:
        file.write(TOWN.format(bucket=bucket, endpoint=lake.endpoint))
    return read_town(folder)


def test_the_whole_way_from_the_bucket_to_a_release(piscines, put):
    put("piscines_1.csv", b"jour,piscine,entrees\n2026-10-01,Bassin,12\n")
    dataset, zones = piscines.dataset("piscines"), flow.Zones.of(piscines)
    *_, release = flow.publication(dataset, piscines, zones)
    assert release.version == 1
    capture, same = flow.publication(dataset, piscines, zones)
    assert (capture.unchanged, same.version) == ("same ETag", 1)


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="there is no /dev/full to write to")
def test_a_full_disk_is_told(piscines, put, tmp_path):
    put("piscines_1.csv", b"x" * 300_000)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "delivery").symlink_to("/dev/full")
    with pytest.raises(OdpError, match="the disk is full: the delivery could not be written"):
        sources.extract(piscines.datasets[0], piscines, tmp_path / "work", None)
