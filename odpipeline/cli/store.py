"""Commands about the publication store: verify, diff, gc, storage, signing-key."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from odpipeline import flow
from odpipeline.cli.application import AsJson, DatasetName, TownFolder, app
from odpipeline.cli.telling import show
from odpipeline.declaration import read_town
from odpipeline.declaration.keeping import Keep
from odpipeline.errors import OdpError
from odpipeline.store import Store, diffing, layout, over_http, retention, signing, verifying

_WRONG = 1


@app.command()
def verify(
    dataset: Annotated[str | None, typer.Argument(help="Only this dataset; all by default.")] = None,
    sample: Annotated[
        int | None, typer.Option(min=0, help="The current version and so many others of each dataset; all by default.")
    ] = None,
    public: Annotated[
        str | None, typer.Option("--public", help="The address of a store that anybody may read; no town is needed.")
    ] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", help="A public key (PEM); every version must be signed with one of those given."),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make the changelog and `latest` again from the manifests, with --yes.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --repair: do it.")] = False,
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """Read every byte of the store again and compare it with manifests, signatures and changelog."""
    trusted = [signing.public_key(_content(file)) for file in key or ()]
    if public:
        reader = over_http.Published(public)
        names = [dataset] if dataset else reader.datasets()
        found = [verifying.verify(reader, name, sample=sample, trusted=trusted) for name in names]
    else:
        store = flow.Zones.of(read_town(town.resolve())).store
        names = [dataset] if dataset else list(store.datasets())
        backend = store.backend
        found = [verifying.verify(backend, name, listed=backend, sample=sample, trusted=trusted) for name in names]
        if repair:
            _repair(store, found, yes)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2, default=sorted))
    else:
        show([_row(one) for one in found], as_json=False)
        for flaw in (flaw for one in found for flaw in one.flaws):
            typer.echo(f"{flaw.where}: {flaw.what}" + (f"; {flaw.mend}" if flaw.mend else ""), err=flaw.grave)
    if public and not trusted and (keys := {name for one in found for name in one.keys}):
        typer.echo(f"signed by {', '.join(sorted(keys))}, as the store itself says: compare with the key that the town "
                   "names elsewhere, and give it with --key", err=True)  # fmt: skip
    if dataset and not (found[0].versions or found[0].withdrawn) and found[0].sound:
        raise OdpError("nothing of it was ever published", where=dataset, mend="look at the identifier: odp status")
    if not found:
        raise OdpError("there is no dataset to verify", mend="look at the address, or publish something first")
    raise typer.Exit(0 if all(one.sound for one in found) else _WRONG)


@app.command()
def diff(
    dataset: DatasetName,
    before: Annotated[
        int | None, typer.Argument(help="The older version; by default the one before the newer.")
    ] = None,
    after: Annotated[int | None, typer.Argument(help="The newer version; by default the current one.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write the changed rows into this file.")] = None,
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """What changed between two public versions: rows, cells by column, the schema, sums and means."""
    declared = read_town(town.resolve())
    zones = flow.Zones.of(declared)
    if dataset not in zones.store.datasets():
        declared.dataset(dataset)  # says which there are
    versions = {release.version: release for release in zones.store.versions(dataset)}
    newer = after or max(versions, default=0)
    older = before or (versions[newer].previous if newer in versions else None) or 0
    for number in (older, newer):
        if number not in versions:
            known = ", ".join(map(str, sorted(versions))) or "none"
            raise OdpError(f"version {number} is not there", where=dataset, mend=f"there are: {known}")
    with tempfile.TemporaryDirectory() as folder:
        pair = [versions[number] for number in (older, newer)]
        files = [zones.store.fetched(one, Path(folder) / str(one.version)) / f"{dataset}.parquet" for one in pair]
        told = diffing.compare(files[0], files[1], (pair[0].schema, pair[1].schema), zones.duck, parquet)
    if as_json:
        typer.echo(json.dumps({"from": older, "to": newer, **told.as_json()}, ensure_ascii=False, indent=2))
        return
    typer.echo(f"{dataset}, version {older} to {newer}: {told.kind}; {told.added} rows added, {told.removed} removed, "
               f"{told.changed} changed" + ("" if told.by_key else " (without a key: whole rows)"))  # fmt: skip
    for change in told.schema:
        arrow = f" ({change.before or '–'} → {change.after or '–'})" if change.before or change.after else ""
        typer.echo(f"{change.what}: {change.column or 'the table'}{arrow}" + (" [breaking]" if change.breaks else ""))
    show([{"column": name, "changed cells": told.by_column.get(name, 0), **_moved(told.drift.get(name, {}))}
          for name in dict.fromkeys([*told.by_column, *told.drift])], as_json=False)  # fmt: skip


def _moved(drift: Mapping[str, tuple[Any, Any]]) -> dict[str, str | None]:
    names = ("missing", "sum", "mean", "minimum", "maximum")
    return {name: f"{drift[name][0]} → {drift[name][1]}" if name in drift else None for name in names}


@app.command()
def gc(
    dataset: Annotated[str | None, typer.Argument(help="Only this dataset; all by default.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it, what would go is said.")] = False,
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """Remove the versions that `versions` of their declaration does not keep, and what dead publishers left.

    A withdrawal that was cut short is finished. Of a dataset that is declared no more every version stays until
    `odp withdraw` takes it away.
    """
    declared = read_town(town.resolve())
    store, now = flow.Zones.of(declared).store, datetime.now(UTC)
    backend, rows = store.backend, []
    kept = dict.fromkeys(store.datasets(), Keep()) | {one.id: one.versions for one in declared.datasets}
    if dataset and dataset not in kept:
        declared.dataset(dataset)  # says which there are
    for name in [dataset] if dataset else sorted(kept):
        surplus = retention.surplus(backend, name, kept[name], now, ZoneInfo(declared.timezone))
        orphans, unfinished = retention.orphans(backend, name, now), retention.unfinished(backend, name)
        rows.append({
            "dataset": name,
            "versions": ", ".join(str(release.version) for release in reversed(surplus)),
            "bytes": sum(file.size_bytes for release in surplus for file in release.files),
            "never public": ", ".join(map(str, orphans)),
            "withdrawn, not whole": ", ".join(str(grave.version or "all") for grave in unfinished),
            "state": "removed" if yes else "would go",
        })  # fmt: skip
        if yes:
            for release in surplus:
                retention.remove(backend, release, now, store.signer)
            for grave in unfinished:
                store.withdraw(grave)  # with its signature, where the town has a key
            for number in orphans:
                backend.purge(layout.version(name, number))
            backend.forget_dead(layout.home(name), now - retention.OLD_ENOUGH)
    shown = ("versions", "never public", "withdrawn, not whole")
    show([row for row in rows if any(row[name] for name in shown) or as_json], as_json)
    if not yes:
        print("nothing was done: say --yes to do it", file=sys.stderr)


@app.command()
def storage(town: TownFolder = Path(), as_json: AsJson = False) -> None:
    """How much each dataset takes in the store, how fast it grows, and what it takes in a year at that rate."""
    store, now = flow.Zones.of(read_town(town.resolve())).store, datetime.now(UTC)
    sizes = [asdict(retention.size(store.backend, name, now)) for name in store.datasets()]
    names = {"size_bytes": "bytes", "current_bytes": "current", "growth_bytes": "a month",
             "in_a_year_bytes": "in a year"}  # fmt: skip
    rows = [{names.get(key, key): value for key, value in one.items()} for one in sizes]
    total = {key: sum(row[key] for row in rows) for key in ("versions", *names.values())}
    show(rows if as_json else [*rows, {"dataset": "all", **total}], as_json)


@app.command("signing-key")
def signing_key() -> None:
    """Make an Ed25519 key for `signing_key` of town.yaml: the secret on the first line, for the environment only."""
    secret = signing.made()
    public = signing.public_of(secret)
    typer.echo(secret)
    print(f"keep it in the environment of the pipeline; its public half, {signing.name(signing.public_key(public))}, "
          f"is for everybody:\n{public.decode()}", file=sys.stderr, end="")  # fmt: skip


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise OdpError(f"the key cannot be read ({error.strerror})", where=str(file), mend="name a PEM file") from None


def _repair(store: Store, found: list[verifying.Verified], yes: bool) -> None:
    for one in found:
        astray = any(flaw.grave and flaw.where == layout.pointer(one.dataset) for flaw in one.flaws)
        proposed = [flaw for flaw in one.flaws if flaw.repair == "follow" and not astray]
        for flaw in proposed:
            typer.echo(f"{'repaired' if yes else 'would be made again'}: {flaw.where}")
        if proposed and yes:
            store.remade(one.dataset)


def _row(one: verifying.Verified) -> dict[str, Any]:
    state = "withdrawn" if one.withdrawn else "sound" if one.sound else "WRONG"
    return {
        "dataset": one.dataset,
        "state": state,
        "versions": one.versions,
        "signed": one.signed,
        "files": one.files,
        "bytes": one.size_bytes,
        "flaws": len(one.flaws),
    }
