"""The catalogue of everything that is published, as DCAT-AP 3.0.1 in JSON-LD.

Made from the store's manifests (and the publisher's name) alone, so it can be made again at any time; the same store
gives the same bytes. One small graph for each dataset, put side by side; no remote context is needed to read it.
Addresses are below the publisher's homepage; those of files go through `latest` and stay the same for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from odpipeline.catalogue import dqv
from odpipeline.catalogue.vocabulary import AUTHORITY, FREQUENCIES, LANGUAGES, LICENCES, THEMES, frequency
from odpipeline.declaration.town import Town
from odpipeline.quality.promised import promised
from odpipeline.quality.typography import french_moment, typographic
from odpipeline.store import Release, Store, StoredFile, layout, wording

Node = dict[str, Any]

CONTEXT: Node = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "spdx": "http://spdx.org/rdf/terms#",
    "adms": "http://www.w3.org/ns/adms#",
    "dcatap": "http://data.europa.eu/r5r/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    **dqv.PREFIXES,
}
"""The prefixes; every value says its own type."""

_PACKAGE = "https://datapackage.org/standard/data-package/"
_TABLE_SCHEMA = "https://datapackage.org/standard/table-schema/"
_FORMATS = {
    "csv": ("CSV", "CSV"),
    "parquet": ("PARQUET", "Parquet"),
    "geojson": ("GEOJSON", "GeoJSON"),
    "geo.parquet": ("PARQUET", "GeoParquet"),
    "xlsx": ("XLSX", "Excel"),
    "csv.gz": ("CSV", "CSV, gzip"),
}
"""What stands behind the identifier in a file's name → file type of the EU, and what readers call it. Partitions are
parts of one distribution, and no distributions themselves."""
_FILE_TYPES = {"CSV": "CSV", "PARQUET": "Parquet", "GEOJSON": "GeoJSON", "XLSX": "Excel XLSX"}
"""The EU's file types and their labels."""
_SHA256 = "http://spdx.org/rdf/terms#checksumAlgorithm_sha256"
_PUBLISHER_TYPES = "http://purl.org/adms/publishertype/"
_MEDIA = "https://www.iana.org/assignments/media-types/"


def build(store: Store, town: Town) -> Path:
    """Write `catalogue.jsonld` at the root of the store; where it is now.

    Raises: StoreError when a release cannot be read, and then the catalogue stays as it was.
    """
    releases = [release for dataset in store.datasets() if (release := store.current(dataset)) is not None]
    return store.write(layout.CATALOGUE, layout.readable(catalogue(releases, town)))


def catalogue(releases: Iterable[Release], town: Town) -> Node:
    """The catalogue of `releases` as one JSON-LD document."""
    found = sorted(releases, key=lambda release: release.dataset)
    base, language = _base(town), town.language
    nodes = [
        {
            "@id": f"{base}/",
            "@type": ["dcat:Catalog", "foaf:Document"],
            "dct:title": _text(f"Données ouvertes de {town.publisher.name}", language),
            "dct:description": _text(f"Les jeux de données publiés par {town.publisher.name}.", language),
            "dct:publisher": {"@id": f"{base}/#publisher"},
            "dct:language": _concept("language", LANGUAGES.get(language, "MUL")),
            "foaf:homepage": {"@id": f"{base}/"},
            "dcat:themeTaxonomy": {"@id": f"{AUTHORITY}data-theme"},
            "dcat:dataset": [{"@id": _dataset_uri(base, release)} for release in found],
            **_modified(found),
        },
        _publisher(town, base),
        *(node for release in found for node in dataset_graph(release, town)),
        *_series(found, base),
        *_vocabulary(found, language),
        *(dqv.metrics(base) if any(release.quality.get("score") for release in found) else ()),
    ]
    return {"@context": CONTEXT, "@graph": nodes}


def dataset_graph(release: Release, town: Town) -> list[Node]:
    """One current release as a dcat:Dataset with its distributions, contact and the documents it names."""
    base, about = _base(town), release.about
    language = about["language"]
    page = f"{base}/dataset/{release.dataset}.html"
    contact = f"{_dataset_uri(base, release)}#contact"
    measured = dqv.measurements(release, _dataset_uri(base, release), base)
    dataset: Node = {
        "@id": _dataset_uri(base, release),
        "@type": "dcat:Dataset",
        "dct:identifier": release.dataset,
        "dct:title": _text(about["title"], language),
        "dct:description": _text(about["description"], language),
        "dct:publisher": {"@id": f"{base}/#publisher"},
        "dcat:contactPoint": {"@id": contact},
        "dcat:keyword": [_text(word, language) for word in about["keywords"]],
        "dcat:theme": [_concept("data-theme", theme) for theme in about["themes"]],
        "dcat:version": str(release.version),
        "adms:versionNotes": _text(_notes(release), "fr"),
        **_previous(base, release),
        **({"dcat:inSeries": {"@id": _series_uri(base, about["series"])}} if about.get("series") else {}),
        "dct:modified": _instant(release),
        "dct:accrualPeriodicity": _concept("frequency", frequency(about["schedule"])),
        **_timeliness(release, town),
        "dct:accessRights": _concept("access-right", "PUBLIC"),
        "dct:language": _concept("language", LANGUAGES.get(language, "MUL")),
        "dct:conformsTo": {"@id": _PACKAGE},
        "dcat:landingPage": {"@id": page},
        "dcat:distribution": [{"@id": _file_uri(base, release, file)} for file in _tables(release)],
        "dqv:hasQualityMeasurement": [{"@id": measurement["@id"]} for measurement in measured],
    }
    return [
        {key: value for key, value in dataset.items() if value != []},
        {"@id": contact, "@type": "vcard:Kind", "vcard:fn": town.publisher.name,
         "vcard:hasEmail": {"@id": f"mailto:{about['owner']}"}},
        {"@id": page, "@type": "foaf:Document", "dct:title": _text(about["title"], language)},
        *(node for file in _tables(release) for node in _distribution(release, file, base, page)),
        *measured,
    ]  # fmt: skip


def _timeliness(release: Release, town: Town) -> Node:
    """Both clocks: the newest date in the data (`dct:temporal`), when it was last checked and what is promised."""
    zone = ZoneInfo(town.timezone)
    declared = next((dataset for dataset in town.datasets if dataset.id == release.dataset), None)
    told = [f"Vérifié à la source le {french_moment(release.checked_at, zone)}."]
    promise = promised(declared, release.data_date, release.checked_at, "fr") if declared else None
    if promise:
        told.append(f"Engagement : {promise.text[:1].lower()}{promise.text[1:]}.")
    if promise and promise.until:
        told.append(f"Sans donnée plus récente, il n’est plus tenu à partir du {french_moment(promise.until, zone)}.")
    said: Node = {
        "dct:provenance": {"@type": "dct:ProvenanceStatement", "rdfs:label": _text(typographic(" ".join(told)), "fr")}
    }
    if release.data_date:
        end = {"@type": "xsd:dateTime", "@value": _stamp(release.data_date)}
        said["dct:temporal"] = {"@type": "dct:PeriodOfTime", "dcat:endDate": end}
    return said


def _series(releases: Iterable[Release], base: str) -> list[Node]:
    """The series that datasets belong to, each once, as the first of them says it (DCAT-AP 3.0.1, Dataset Series)."""
    said: dict[str, Release] = {}
    for release in releases:
        if release.about.get("series"):
            said.setdefault(release.about["series"]["id"], release)
    return [
        {
            "@id": _series_uri(base, release.about["series"]),
            "@type": "dcat:DatasetSeries",
            "dct:title": _text(release.about["series"]["title"], release.about["language"]),
            "dct:description": _text(release.about["series"]["description"], release.about["language"]),
            "dct:publisher": {"@id": f"{base}/#publisher"},
            "dcat:contactPoint": {"@id": f"{_dataset_uri(base, release)}#contact"},
        }
        for _, release in sorted(said.items())
    ]


def _series_uri(base: str, series: Node) -> str:
    return f"{base}/series/{series['id']}"


def _notes(release: Release) -> str:
    told = wording.told(release.changes, "fr")
    return f"{told} ({wording.why(release.why, 'fr')})" if told else wording.why(release.why, "fr")


def _previous(base: str, release: Release) -> Node:
    """DCAT 3, 11: the version before this one, by its manifest."""
    if release.previous is None:
        return {}
    manifest = f"{_dataset_uri(base, release)}/versions/{release.previous}/{layout.RELEASE}"
    return {"dcat:previousVersion": {"@id": manifest}}


def _distribution(release: Release, file: StoredFile, base: str, page: str) -> list[Node]:
    code, name = _FORMATS[_ending(release, file)]
    about, uri, packed = release.about, _file_uri(base, release, file), file.name.endswith(".gz")
    return [
        {
            "@id": uri,
            "@type": "dcat:Distribution",
            "dct:title": _text(f"{about['title']} ({name})", about["language"]),
            "dct:description": _text(about["description"], about["language"]),
            "dcat:accessURL": {"@id": page},
            "dcat:downloadURL": {"@id": uri},
            "dct:format": _concept("file-type", code),
            "dcat:mediaType": {"@id": _MEDIA + ("text/csv" if packed else file.media_type)},
            **({"dcat:compressFormat": {"@id": _MEDIA + file.media_type}} if packed else {}),
            "dct:license": {"@id": LICENCES.get(about["licence"], f"{base}/#licence-{about['licence']}")},
            "dcat:byteSize": {"@type": "xsd:nonNegativeInteger", "@value": str(file.size_bytes)},
            "spdx:checksum": {"@id": f"{uri}#sha256"},
            "dct:modified": _instant(release),
            "dct:conformsTo": {"@id": _TABLE_SCHEMA},
            "dcatap:availability": _concept("planned-availability", "STABLE"),
        },
        {
            "@id": f"{uri}#sha256",
            "@type": "spdx:Checksum",
            "spdx:algorithm": {"@id": _SHA256},
            "spdx:checksumValue": {"@type": "xsd:hexBinary", "@value": file.sha256},
        },
        {"@id": _MEDIA + file.media_type, "@type": "dct:MediaType"},
    ]


def _publisher(town: Town, base: str) -> Node:
    return {
        "@id": f"{base}/#publisher",
        "@type": "foaf:Agent",
        "foaf:name": _text(town.publisher.name, town.language),
        "foaf:mbox": {"@id": f"mailto:{town.publisher.email}"},
        "dct:identifier": town.publisher.siren,
        "dct:type": {"@id": f"{_PUBLISHER_TYPES}LocalAuthority"},
    }


def _vocabulary(releases: list[Release], language: str) -> list[Node]:
    """The few concepts that the catalogue names, described as the shapes want them."""
    themes = {theme for release in releases for theme in release.about["themes"]}
    schedules = {frequency(release.about["schedule"]) for release in releases}
    languages = {LANGUAGES.get(tongue, "MUL") for tongue in {language, *(r.about["language"] for r in releases)}}
    licences = {LICENCES[licence] for r in releases if (licence := r.about["licence"]) in LICENCES}
    return [
        _scheme("data-theme", "Thèmes"),
        *(_described("data-theme", code, THEMES.get(code, code)) for code in sorted(themes)),
        *(_described("frequency", code, FREQUENCIES.get(code, code), "dct:Frequency") for code in sorted(schedules)),
        *(_described("language", code, code, "dct:LinguisticSystem") for code in sorted(languages)),
        *(_described("file-type", code, name, "dct:MediaTypeOrExtent") for code, name in _FILE_TYPES.items()),
        _described("access-right", "PUBLIC", "public", "dct:RightsStatement"),
        _described("planned-availability", "STABLE", "stable"),
        *({"@id": uri, "@type": "dct:LicenseDocument"} for uri in sorted(licences)),
        {
            "@id": f"{_PUBLISHER_TYPES}LocalAuthority",
            "@type": "skos:Concept",
            "skos:prefLabel": _text("collectivité locale", "fr"),
            "skos:inScheme": {"@id": f"{_PUBLISHER_TYPES}1.0"},
        },
        {"@id": _SHA256, "@type": "spdx:ChecksumAlgorithm"},
        {"@id": _PACKAGE, "@type": "dct:Standard", "dct:title": _text("Data Package", "en")},
        {"@id": _TABLE_SCHEMA, "@type": "dct:Standard", "dct:title": _text("Table Schema", "en")},
    ]


def _scheme(table: str, title: str) -> Node:
    return {"@id": AUTHORITY + table, "@type": "skos:ConceptScheme", "dct:title": _text(title, "fr")}


def _described(table: str, code: str, label: str, *types: str) -> Node:
    return _concept(table, code) | {
        "@type": ["skos:Concept", *types],
        "skos:prefLabel": _text(label, "fr"),
        "skos:inScheme": {"@id": AUTHORITY + table},
    }


def _concept(table: str, code: str) -> Node:
    return {"@id": f"{AUTHORITY}{table}/{code}"}


def _text(text: str, language: str) -> Node:
    return {"@language": language, "@value": text}


def _instant(release: Release) -> Node:
    return {"@type": "xsd:dateTime", "@value": _stamp(release.published_at)}


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _modified(releases: list[Release]) -> Node:
    newest = max(releases, key=lambda release: release.published_at, default=None)
    return {"dct:modified": _instant(newest)} if newest else {}


def called(name: str, dataset: str) -> str:
    """What readers call the format of a file of a release, such as `CSV, gzip`; "" when it is not the whole table."""
    return _FORMATS.get(name.removeprefix(f"{dataset}."), ("", ""))[1]


def _tables(release: Release) -> list[StoredFile]:
    return [file for file in release.files if _ending(release, file) in _FORMATS]


def _ending(release: Release, file: StoredFile) -> str:
    return file.name.removeprefix(f"{release.dataset}.")


def _base(town: Town) -> str:
    return town.publisher.homepage.rstrip("/")


def _dataset_uri(base: str, release: Release) -> str:
    return f"{base}/datasets/{release.dataset}"


def _file_uri(base: str, release: Release, file: StoredFile) -> str:
    return f"{_dataset_uri(base, release)}/latest/{file.name}"
