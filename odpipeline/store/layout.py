"""The format of the publication store: this docstring is its specification (format 2).

::

    datasets/<id>/
      current.json              the pointer: which version the public sees; the only thing that decides it
      checked.json              when, and from which capture and code, that version was last confirmed
      changelog.jsonl           one line for each version that was ever current, oldest first
      latest -> versions/<n>    alias for stable addresses; follows the pointer
      versions/<n>/             immutable once release.json is there; n grows from 1 and is never used again
        datapackage.json        Data Package 2.0 with the Table Schema of both files
        <id>.parquet            typed rows, zstd, sorted
        <id>.csv                the same rows as text, in the same order
        <id>.csv-metadata.json  the W3C's description of the CSV (CSVW)
        <id>.geojson, <id>.geo.parquet, <id>.xlsx, <id>.csv.gz, <id>.<column>-<value>.parquet
                                the same rows again, where the declaration asks for it: see `formats`
        changes.json            what changed since the version before: rows, cells, schema, sums
        changes.parquet         the changed rows, unless there are too many or they are about persons
        quality.json            what was checked, what did not hold, the score, and the history up to this version
        release.json.sig        the signature of release.json, where the town signs (see `signing`)
        release.json            the manifest, written last: without it the folder is no version
      versions/<n>/tombstone.json    instead of all that, what was taken away, when and why (see `acts`)
      tombstone.json          the same for the whole dataset, of which nothing else is left but the changelog; a
                              partition is named after its hash in both, not after its value
      withdrawal-proof.json   what was found when all of it was looked for again (.sig beside it, where the town signs)
    keys/<key>.pem              the public keys of signatures, old ones too
    catalogue.jsonld, index.html, changes.atom, changes.json, dataset/…, quality/…, privacy/…, changes/…, feeds/…,
    style.css                   rebuilt from the above at any time
    .lock, .tmp-…               of the local folder backend; names with a leading dot are never served

**Reading.** Read `current.json` once, then only that version: whoever does so sees all of one release. `latest` is
for single files. The versions that were public are the current one and, from each, its `previous`; a folder that this
chain does not reach was never public (its publisher died, or lost a race). A folder without `release.json` is an
orphan. Numbers of both are skipped, so an address below `versions/` never changes its bytes.

**Publishing.** Objects are created, never overwritten, `release.json` last; then the pointer is swapped if it still
is what the publisher read (compare-and-swap); then come the changelog and `latest`, which can be rebuilt from the rest
and are, at the next publication or confirmation, if a publisher died in between.

**Changelog.** Each line holds the SHA-256 of the manifest (`manifest_sha256`) and a `chain`: the SHA-256 of the chain
of the line before it (nothing, for the first) and of the line itself without it, as canonical JSON. A line that was
changed or taken out shows in every line after it. Lines from before there were chains stand before the first one.

**Shared bytes.** A file whose bytes the version before holds already, such as the partition of a year that is over, is
not written again: in a folder both names are hard links of one file, so that each version stays whole by itself.

**Unchanged.** A staged release with the content hash of the current one makes no version. `checked.json` then notes
the capture and the code version that led to that content again: comparing with those of the version alone, a new
capture with the old content would be worked through every night. It counts only for the version that it names.

**Content hash.** SHA-256 of one line of canonical JSON (keys sorted, no blanks, UTF-8, `\\n` at its end) that holds the
description (`about`), the Table Schema (`schema`) and the SHA-256 of the CSV (`csv`). The Parquet is left out, because
its bytes depend on the writer's version; `release.json` holds the SHA-256 of every file. A manifest of format 1 may
hold the hash by the rule that was before: of that line without `csv`, and then the bytes of the CSV.

**Formats.** What was published is never rewritten to be of another format: a store holds manifests of several. Format 2
is format 1 with one rule for the content hash instead of two.

**CSV.** RFC 4180: comma, double quotes doubled, CRLF, one header line, UTF-8, without BOM unless declared. Dates
`2026-03-29`, datetimes in UTC `2026-03-29T01:00:00Z` (with microseconds in the whole file if any value has a fraction),
times `01:00:00`, decimal point, `true`/`false`. An empty cell is a missing value; an empty text is published as
missing. Text that a spreadsheet would run, beginning with `=` `+` `-` `@`, tab, CR or LF, gets an apostrophe in front
(OWASP, CSV injection); the Parquet holds it as it is. Column names never begin so.

**Order.** By the declared key, then by all remaining columns in published order, missing values last, text by its
bytes: the order depends on the content alone, so the same rows give the same files.
"""

from __future__ import annotations

import json
import re
from typing import Any

from odpipeline.declaration.words import DATASET_PATTERN
from odpipeline.errors import StoreError

FORMAT = 2
"""The format's number, in every pointer and manifest that is written; those of every format from 1 on are read."""
RELEASE, PACKAGE, QUALITY = "release.json", "datapackage.json", "quality.json"
SIGNATURE = "release.json.sig"
CHANGES, CHANGED_ROWS = "changes.json", "changes.parquet"
TOMBSTONE, PROOF = "tombstone.json", "withdrawal-proof.json"
OF_A_GRAVE = frozenset({TOMBSTONE, PROOF, f"{PROOF}.sig"})
"""All that may stand where something was taken away."""
CATALOGUE, INDEX = "catalogue.jsonld", "index.html"
REBUILT = (CATALOGUE, INDEX, "changes.atom", "changes.json", "dataset", "quality", "privacy", "changes", "feeds")
"""Pages, and folders of pages, that are made from the rest."""

_ID = re.compile(DATASET_PATTERN)
_KEY = re.compile(r"[0-9a-f]{16}")
_VERSION = re.compile(r"[1-9][0-9]*")


def is_dataset(name: str) -> bool:
    """True when `name` can be the folder of a dataset."""
    return bool(_ID.fullmatch(name))


def home(dataset: str) -> str:
    """The folder of `dataset`.

    Raises: StoreError when the identifier could leave it.
    """
    if not is_dataset(dataset):
        raise StoreError(
            f"{dataset!r} cannot be a folder of the store",
            mend="an identifier has up to 100 of a-z, 0-9, - and _, and is no device of Windows (con, nul…)",
        )
    return f"datasets/{dataset}"


def pointer(dataset: str) -> str:
    """`current.json` of `dataset`."""
    return f"{home(dataset)}/current.json"


def checked(dataset: str) -> str:
    """`checked.json` of `dataset`."""
    return f"{home(dataset)}/checked.json"


def changelog(dataset: str) -> str:
    """`changelog.jsonl` of `dataset`."""
    return f"{home(dataset)}/changelog.jsonl"


def latest(dataset: str) -> str:
    """The alias of `dataset`."""
    return f"{home(dataset)}/latest"


def versions(dataset: str) -> str:
    """The folder of the versions of `dataset`."""
    return f"{home(dataset)}/versions"


def version(dataset: str, number: int, name: str = "") -> str:
    """The folder of one version, or the file `name` in it."""
    return f"{versions(dataset)}/{number}" + (f"/{name}" if name else "")


def tombstone(dataset: str, number: int | None = None) -> str:
    """`tombstone.json` of `dataset`, or of one of its versions."""
    return f"{home(dataset)}/{TOMBSTONE}" if number is None else version(dataset, number, TOMBSTONE)


def proof(dataset: str, number: int | None = None) -> str:
    """The proof that `dataset`, or one of its versions, was taken away."""
    return f"{home(dataset)}/{PROOF}" if number is None else version(dataset, number, PROOF)


def pages(dataset: str) -> list[str]:
    """Every page and folder of pages about `dataset`."""
    home(dataset)
    folders, endings = ("dataset", "privacy", "changes"), (".html", ".en.html")
    named = [f"{folder}/{dataset}{ending}" for folder in folders for ending in endings]
    named += [feed(dataset, kind) for kind in ("atom", "json")]
    return [*named, f"quality/{dataset}"]


def quality_pages(dataset: str, number: int) -> list[str]:
    """The pages about the quality of one version."""
    return [quality_page(dataset, number, language) for language in ("fr", "en")]


def key(name: str) -> str:
    """The public key called `name`."""
    if not _KEY.fullmatch(name):
        raise StoreError(f"{name!r} is no name of a key", mend="it has 16 hexadecimal digits")
    return f"keys/{name}.pem"


def quality_page(dataset: str, number: int, language: str) -> str:
    """The page about the quality of one version; the French one has the short name."""
    home(dataset)
    return f"quality/{dataset}/{number}" + ("" if language == "fr" else f".{language}") + ".html"


def privacy_page(dataset: str, language: str) -> str:
    """The page about the protection of persons in the current version; the French one has the short name."""
    home(dataset)
    return f"privacy/{dataset}" + ("" if language == "fr" else f".{language}") + ".html"


def changes_page(dataset: str, language: str) -> str:
    """The page about what changed from version to version; the French one has the short name."""
    home(dataset)
    return f"changes/{dataset}" + ("" if language == "fr" else f".{language}") + ".html"


def feed(dataset: str | None, kind: str) -> str:
    """A feed of what changed: `atom` or `json`, of a dataset or (None) of the whole town."""
    if dataset is None:
        return f"changes.{kind}"
    home(dataset)
    return f"feeds/{dataset}.{kind}"


def numbers(names: list[str]) -> list[int]:
    """The version numbers among the `names` of a versions folder, ascending."""
    return sorted(int(name) for name in names if _VERSION.fullmatch(name))


def canonical(value: Any) -> bytes:
    """`value` as one line of canonical JSON, `\\n` included: the first part of what the content hash covers."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"


def readable(value: Any) -> bytes:
    """`value` as JSON for people and machines, `\\n` at its end."""
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False).encode() + b"\n"
