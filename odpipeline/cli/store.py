"""Commands about the publication store: verify, signing-key."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from odpipeline import flow
from odpipeline.cli.application import AsJson, TownFolder, app
from odpipeline.cli.telling import show
from odpipeline.declaration import read_town
from odpipeline.errors import OdpError
from odpipeline.store import Store, over_http, signing, verifying

_WRONG = 1


@app.command()
def verify(
    dataset: Annotated[str | None, typer.Argument(help="Only this dataset; all by default.")] = None,
    sample: Annotated[
        int | None, typer.Option(help="The current version and so many others of each dataset; all by default.")
    ] = None,
    public: Annotated[
        str | None, typer.Option("--public", help="The address of a store that anybody may read; no town is needed.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="The public key (PEM) that every version must be signed with.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make the changelog and `latest` again from the manifests, with --yes.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --repair: do it.")] = False,
    town: TownFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """Read every byte of the store again and compare it with manifests, signatures and changelog."""
    trusted = signing.public_key(key.read_bytes()) if key else None
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
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
    else:
        show([_row(one) for one in found], as_json=False)
        for flaw in (flaw for one in found for flaw in one.flaws):
            typer.echo(f"{flaw.where}: {flaw.what}; {flaw.mend}", err=flaw.grave)
    if not found:
        raise OdpError("there is no dataset to verify", mend="look at the address, or publish something first")
    raise typer.Exit(0 if all(one.sound for one in found) else _WRONG)


@app.command("signing-key")
def signing_key() -> None:
    """Make an Ed25519 key for `signing_key` of town.yaml: the secret on the first line, for the environment only."""
    typer.echo(signing.made())
    print("keep it in the environment of the pipeline; the public half appears in the store as keys/….pem",
          file=sys.stderr)  # fmt: skip


def _repair(store: Store, found: list[verifying.Verified], yes: bool) -> None:
    for one in found:
        proposed = [flaw for flaw in one.flaws if flaw.repair == "follow"]
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
