"""The one place that knows which kind of store a town has."""

from __future__ import annotations

from odpipeline.declaration.bucket import BucketStore
from odpipeline.declaration.town import Town
from odpipeline.store.bucket import Bucket
from odpipeline.store.publishing import Store
from odpipeline.store.signing import Signer


def opened(town: Town) -> Store:
    """The publication store of `town`: a folder, or a bucket whose files are copied to a folder when they are read."""
    signer = Signer(town.signing_key) if town.signing_key else None
    if isinstance(town.store, BucketStore):
        return Store(town.store_path, Bucket(town.store), signer)
    return Store(town.store_path, signer=signer)
