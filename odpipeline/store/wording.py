"""What changed in a version, and what is announced, in a line for citizens: French and English."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from odpipeline.quality.typography import english_count, french_count, typographic
from odpipeline.quality.wording import Language
from odpipeline.store.diffing import SchemaChange

_WHY: dict[str, tuple[str, str]] = {
    "new delivery": ("nouvelle livraison", "new delivery"),
    "replay of an earlier capture": ("reprise d’une livraison antérieure", "replay of an earlier delivery"),
}
_ACTS: dict[str, tuple[str, str]] = {
    "withdrawal": ("retrait", "withdrawal"),
    "retention": ("fin de conservation", "no longer kept"),
    "erasure": ("lignes effacées", "rows erased"),
}
_BEGINNINGS: dict[str, tuple[str, str]] = {
    "rollback to version ": ("retour à la version ", "rollback to version "),
    "rows erased: ": ("lignes effacées : ", "rows erased: "),
}
_SCHEMA: dict[str, tuple[str, str]] = {
    "breaking": ("la structure change, ce qui peut gêner", "the structure changes, which may break readers"),
    "compatible": ("la structure est complétée", "the structure is extended"),
}


def told(changes: Mapping[str, Any], language: Language) -> str:
    """`12 lignes ajoutées, 3 supprimées ; la structure est complétée`; "" when nothing is known of the changes."""
    if not changes:
        return ""
    french = language == "fr"
    if french:
        rows = [
            french_count(changes["added"], "ligne ajoutée", "lignes ajoutées"),
            french_count(changes["removed"], "ligne supprimée", "lignes supprimées"),
            french_count(changes["changed"], "ligne modifiée", "lignes modifiées"),
        ]
    else:
        rows = [english_count(changes[what], f"row {what}", f"rows {what}") for what in ("added", "removed", "changed")]
    counts = [changes["added"], changes["removed"], changes["changed"]]
    said = [", ".join(text for text, n in zip(rows, counts, strict=True) if n)]
    said.append(_SCHEMA.get(changes["kind"], ("", ""))[0 if french else 1])
    nothing = "description modifiée" if french else "description changed"
    line = ("\u00a0; " if french else "; ").join(filter(None, said)) or nothing
    return typographic(line) if french else line


def announced(changes: Iterable[SchemaChange], language: Language) -> str:
    """`la colonne « x » disparaît ; la clé est désormais id, jour`: what readers of the files must adapt to."""
    french = language == "fr"
    said = [(_in_french if french else _in_english)(change) for change in changes]
    return typographic(" ; ".join(said)) if french else "; ".join(said)


def _in_french(change: SchemaChange) -> str:
    if change.what == "key":
        return f"la clé est désormais {change.after}" if change.after else "il n’y a plus de clé"
    if change.what == "column removed":
        return f"la colonne « {change.column} » disparaît"
    return f"la colonne « {change.column} » passe du type {change.before} au type {change.after}"


def _in_english(change: SchemaChange) -> str:
    if change.what == "key":
        return f"the key becomes {change.after}" if change.after else "there is no key any more"
    if change.what == "column removed":
        return f"the column “{change.column}” goes"
    return f"the type of the column “{change.column}” changes from {change.before} to {change.after}"


def why(reason: str, language: Language) -> str:
    """Why a version was made, in the reader's language; what a person wrote stays as it is."""
    place = 0 if language == "fr" else 1
    if reason in _WHY:
        return _WHY[reason][place]
    for beginning, words in _BEGINNINGS.items():
        if reason.startswith(beginning):
            return words[place] + reason.removeprefix(beginning)
    return reason


def act(name: str, language: Language) -> str:
    """What an act in the changelog is called."""
    return _ACTS.get(name, (name, name))[0 if language == "fr" else 1]
