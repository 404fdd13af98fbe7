"""The publication store: immutable versions, one pointer, nothing published without the gate's verdict.

`layout` is the format's specification; `staging` makes a private release, `publishing` makes it public.
"""

from odpipeline.store.publishing import Store
from odpipeline.store.releases import Release, StoredFile, Tombstone
from odpipeline.store.signing import Signer
from odpipeline.store.staging import Staged, StagedFacts, stage

__all__ = ["Release", "Signer", "Staged", "StagedFacts", "Store", "StoredFile", "Tombstone", "stage"]
