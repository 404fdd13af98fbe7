"""Every rule in French, for the data's owner and for the public."""

from __future__ import annotations

from odpipeline.quality.french import FRENCH, PREFIX
from odpipeline.quality.phrases import Phrase, bounds, joined, sides
from odpipeline.quality.typography import french_age, french_count, french_number, french_share

number, count, share, age = french_number, french_count, french_share, french_age

_BOUNDS = bounds("entre {0} et {1}", "d’au moins {0}", "d’au plus {0}", number, "dans ses bornes")
_VALUE_BOUNDS = bounds("entre {0} et {1}", "d’au moins {0}", "d’au plus {0}", number, "dans leurs bornes")
_LENGTHS = bounds(
    "de {0} à {1} caractères",
    "d’au moins {0} caractères",
    "d’au plus {0} caractères",
    number,
    "de la longueur déclarée",
)

_VALUES = (
    "Corrigez ces valeurs dans votre logiciel ; si elles sont justes, dites-le au service des données, qui reverra la "
    "règle."
)
_MISSING = (
    "Complétez ces valeurs dans votre logiciel ; si elles peuvent manquer, dites-le au service des données, qui "
    "reverra la règle."
)
_TWICE = (
    "Cherchez dans votre logiciel ce qui est saisi ou exporté deux fois, ou ce qui manque à l’identifiant pour être "
    "unique."
)
_TABLE = (
    "Vérifiez que l’export est complet et que ses colonnes n’ont pas changé ; si le changement est voulu, annoncez-le "
    "au service des données."
)
_WHOLE = (
    "Comparez l’export avec le précédent : s’il est incomplet ou répété, livrez-le de nouveau ; s’il est juste, "
    "dites-le au service des données, qui peut l’accepter."
)
_SENSOR = (
    "Vérifiez l’appareil et sa transmission ; s’il est arrêté pour une bonne raison, dites-le au service des données."
)
_PRIVACY = (
    "Rien n’est à corriger dans vos données : le service des données et le délégué à la protection des données "
    "choisissent des regroupements plus larges."
)
_INTERNAL = "Rien n’est à faire de votre côté : le service des données s’en occupe."

FRENCH_PHRASES: dict[str, Phrase] = {
    "expect_column_values_to_not_be_null": Phrase("valeurs renseignées", "manque", "manquent", advice=_MISSING),
    "expect_column_values_to_be_null": Phrase(
        "aucune valeur renseignée", "est renseignée", "sont renseignées", advice=_VALUES
    ),
    "expect_column_values_to_be_unique": Phrase(
        "valeurs uniques", "figure plus d’une fois", "figurent plus d’une fois", advice=_TWICE
    ),
    "expect_compound_columns_to_be_unique": Phrase(
        "identifiants uniques", "a le même identifiant qu’une autre", "ont le même identifiant qu’une autre",
        advice=_TWICE, rows=True,
    ),
    "expect_select_column_values_to_be_unique_within_record": Phrase(
        "valeurs différentes d’une colonne à l’autre", "répète une valeur dans plusieurs colonnes",
        "répètent une valeur dans plusieurs colonnes", advice=_VALUES, rows=True,
    ),
    "expect_column_values_to_be_between": Phrase(
        joined("valeurs", _VALUE_BOUNDS),
        sides("est inférieure au minimum ({0})", "dépasse le maximum ({0})", "sort des bornes", number),
        sides("sont inférieures au minimum ({0})", "dépassent le maximum ({0})", "sortent des bornes", number),
        advice=_VALUES,
    ),
    "expect_column_values_to_be_in_set": Phrase(
        "valeurs de la liste déclarée", "n’est pas dans la liste des valeurs admises",
        "ne sont pas dans la liste des valeurs admises", advice=_VALUES,
    ),
    "expect_column_values_to_not_be_in_set": Phrase(
        "aucune valeur de la liste exclue", "est dans la liste des valeurs exclues",
        "sont dans la liste des valeurs exclues", advice=_VALUES,
    ),
    "expect_column_values_to_match_regex": Phrase(
        "forme déclarée", "n’a pas la forme déclarée", "n’ont pas la forme déclarée", advice=_VALUES
    ),
    "expect_column_values_to_not_match_regex": Phrase(
        "absence d’une forme exclue", "a une forme exclue", "ont une forme exclue", advice=_VALUES
    ),
    "expect_column_values_to_match_regex_list": Phrase(
        "formes déclarées", "n’a pas la forme déclarée", "n’ont pas la forme déclarée", advice=_VALUES
    ),
    "expect_column_values_to_not_match_regex_list": Phrase(
        "absence de formes exclues", "a une forme exclue", "ont une forme exclue", advice=_VALUES
    ),
    "expect_column_value_lengths_to_be_between": Phrase(
        joined("textes", _LENGTHS), "n’a pas la longueur déclarée", "n’ont pas la longueur déclarée", advice=_VALUES
    ),
    "expect_column_value_lengths_to_equal": Phrase(
        lambda d: f"textes de {count(d['value'], 'caractère')}", "n’a pas la longueur déclarée",
        "n’ont pas la longueur déclarée", advice=_VALUES,
    ),
    "expect_column_pair_values_a_to_be_greater_than_b": Phrase(
        lambda d: f"« {d['column_A']} » {'au moins égal' if d.get('or_equal') else 'supérieur'} à « {d['column_B']} »",
        "a une première valeur trop petite", "ont une première valeur trop petite", advice=_VALUES, rows=True,
    ),
    "expect_column_pair_values_to_be_equal": Phrase(
        lambda d: f"« {d['column_A']} » égal à « {d['column_B']} »", "a deux valeurs différentes",
        "ont deux valeurs différentes", advice=_VALUES, rows=True,
    ),
    "expect_column_to_exist": Phrase(
        "colonne présente", told="la colonne n’est pas là, ou pas à sa place", advice=_TABLE
    ),
    "expect_column_values_to_be_of_type": Phrase(
        "type déclaré", told="la colonne n’a pas le type déclaré", advice=_TABLE
    ),
    "expect_column_values_to_be_in_type_list": Phrase(
        "type déclaré", told="la colonne n’a pas l’un des types déclarés", advice=_TABLE
    ),
    "expect_column_min_to_be_between": Phrase(
        joined("plus petite valeur", _BOUNDS), told="la plus petite valeur sort de ses bornes", advice=_VALUES
    ),
    "expect_column_max_to_be_between": Phrase(
        joined("plus grande valeur", _BOUNDS), told="la plus grande valeur sort de ses bornes", advice=_VALUES
    ),
    "expect_column_mean_to_be_between": Phrase(
        joined("moyenne", _BOUNDS), told="la moyenne sort de ses bornes", advice=_VALUES
    ),
    "expect_column_sum_to_be_between": Phrase(
        joined("somme", _BOUNDS), told="la somme sort de ses bornes", advice=_VALUES
    ),
    "expect_column_median_to_be_between": Phrase(
        joined("médiane", _BOUNDS), told="la médiane sort de ses bornes", advice=_VALUES
    ),
    "expect_column_stdev_to_be_between": Phrase(
        joined("écart type", _BOUNDS), told="l’écart type sort de ses bornes", advice=_VALUES
    ),
    "expect_column_quantile_values_to_be_between": Phrase(
        "quantiles dans leurs bornes", told="un quantile sort de ses bornes", advice=_VALUES
    ),
    "expect_column_unique_value_count_to_be_between": Phrase(
        joined("nombre de valeurs différentes", _BOUNDS), told="le nombre de valeurs différentes sort de ses bornes",
        advice=_VALUES,
    ),
    "expect_column_proportion_of_unique_values_to_be_between": Phrase(
        "part de valeurs différentes dans ses bornes", told="la part de valeurs différentes sort de ses bornes",
        advice=_VALUES,
    ),
    "expect_column_proportion_of_non_null_values_to_be_between": Phrase(
        "part de valeurs renseignées dans ses bornes", told="la part de valeurs renseignées sort de ses bornes",
        advice=_MISSING,
    ),
    "expect_table_row_count_to_be_between": Phrase(
        joined("nombre de lignes", _BOUNDS),
        told=lambda n: f"le nombre de lignes ({number(n['rows'])}) sort de ses bornes", advice=_TABLE,
    ),
    "expect_table_column_count_to_be_between": Phrase(
        joined("nombre de colonnes", _BOUNDS), told="le nombre de colonnes sort de ses bornes", advice=_TABLE
    ),
    "expect_table_columns_to_match_ordered_list": Phrase(
        "colonnes déclarées, dans l’ordre", told="les colonnes ne sont pas celles qui sont déclarées, dans leur ordre",
        advice=_TABLE,
    ),
    "expect_table_columns_to_match_set": Phrase(
        "colonnes déclarées", told="les colonnes ne sont pas celles qui sont déclarées", advice=_TABLE
    ),
    "quarantine_ceiling": Phrase(
        "lignes lisibles",
        told=lambda n: (
            f"{count(n['quarantined'], 'ligne')} sur {number(n['rows'])} ({share(n['share'])}) "
            + ("est écartée (illisible" if n["quarantined"] < 2 else "sont écartées (illisibles")
            + " ou contre une règle)"
        ),
        advice="Cherchez dans votre logiciel des dates, des nombres ou des codes saisis ou exportés sous une autre "
        "forme qu’avant ; si la forme a changé pour de bon, annoncez-le au service des données.",
    ),
    "new_columns": Phrase(
        "aucune colonne inconnue",
        told=lambda n: count(
            n["new_columns"], "colonne livrée n’est pas déclarée, et reste de côté",
            "colonnes livrées ne sont pas déclarées, et restent de côté",
        ),
        advice="Dites au service des données ce que contient cette nouvelle colonne, et si elle peut être publiée.",
    ),
    "breaking_schema": Phrase(
        "même structure",
        told=lambda n: f"{count(n['changed_columns'], 'changement')} de structure "
        f"{'gêne' if n['changed_columns'] < 2 else 'gênent'} ceux qui lisent les fichiers",
        advice="Rétablissez la structure, ou acceptez ce contenu après avoir prévenu ceux qui le réutilisent.",
    ),
    "vanished_columns": Phrase(
        "colonnes de la version publiée",
        told=lambda n: f"{count(n['vanished_columns'], 'colonne')} de la version publiée "
        f"{'a disparu' if n['vanished_columns'] < 2 else 'ont disparu'}",
        advice=_TABLE,
    ),
    "rows": Phrase(
        "nombre de lignes de la version publiée",
        told=lambda n: (
            f"{count(n['lost_rows'], 'ligne')} sur {number(n['rows_before'])} "
            f"{'a disparu' if n['lost_rows'] < 2 else 'ont disparu'} depuis la version publiée"
            if n["rows"] or n["rows_before"] else "il ne reste aucune ligne à publier"
        ),
        advice=_WHOLE,
    ),
    "growth": Phrase(
        "croissance habituelle",
        told=lambda n: f"le fichier a {count(n['rows'], 'ligne')}, contre {number(n['rows_before'])} dans "
        "la version publiée : c’est anormalement plus",
        advice=_WHOLE,
    ),
    "types": Phrase(
        "types de la version publiée",
        told=lambda n: f"{count(n['changed_columns'], 'colonne')} "
        f"{'n’a' if n['changed_columns'] < 2 else 'n’ont'} plus le type de la version publiée",
        advice=_TABLE,
    ),
    "vanished_keys": Phrase(
        "identifiants de la version publiée",
        told=lambda n: f"{count(n['vanished_keys'], 'identifiant')} sur {number(n['keys_before'])} "
        f"{'a disparu' if n['vanished_keys'] < 2 else 'ont disparu'} depuis la version publiée",
        advice=_WHOLE,
    ),
    "foreign_key": Phrase(
        lambda d: f"références au jeu « {d['dataset']} »" if d["dataset"] else "références au jeu lui-même",
        told=lambda n: f"{count(n['orphan_rows'], 'ligne')} sur {number(n['referring_rows'])} "
        f"{'renvoie' if n['orphan_rows'] < 2 else 'renvoient'} à un identifiant qui n’est pas publié",
        advice="Corrigez ces identifiants, ou faites d’abord publier ceux qui manquent dans l’autre jeu de données.",
    ),
    "steady": Phrase(
        "valeur qui ne change pas pour un identifiant",
        told=lambda n: f"la valeur a changé pour {count(n['changed'], 'identifiant')} sur "
        f"{number(n['compared'])}",
        advice="Vérifiez que ces identifiants désignent toujours la même chose ; sinon, donnez-leur un nouveau numéro.",
    ),
    "never_reused": Phrase(
        "identifiants jamais réutilisés",
        told=lambda n: f"{count(n['reused'], 'identifiant')} sur {number(n['compared'])} déjà "
        f"{'publié désigne' if n['reused'] < 2 else 'publiés désignent'} autre chose qu’avant",
        advice="Donnez un nouvel identifiant à ce qui est nouveau : un identifiant publié ne change pas de sens.",
    ),
    "newest": Phrase(
        "événements qui avancent",
        told=lambda n: "l’événement le plus récent est plus ancien que celui de la version publiée "
        f"({age(n['behind_seconds'])})",
        advice="Vérifiez que l’export livré est bien le dernier, et non un export plus ancien.",
    ),
    "new_categories": Phrase(
        "catégories déjà publiées",
        told=lambda n: f"{count(n['new_values'], 'valeur')} jamais "
        f"{'publiée' if n['new_values'] < 2 else 'publiées'} jusqu’ici, dans {count(n['rows'], 'ligne')}",
        advice="Vérifiez que ces nouvelles catégories sont voulues, et non des fautes de frappe.",
    ),
    "drift": Phrase(
        "répartition stable",
        told=lambda n: "la répartition des valeurs s’écarte nettement de celle de la version publiée (indice de "
        f"stabilité {number(n['psi'])})",
        advice=_WHOLE,
    ),
    "counters": Phrase(
        "compteur qui ne recule jamais",
        told=lambda n: f"le compteur recule {number(n['backwards'])} fois en {count(n['rows'], 'ligne')}",
        advice="Vérifiez l’appareil ou son remplacement ; un compteur remis à zéro se déclare au service des données.",
    ),
    "gaps": Phrase(
        "relevés sans interruption",
        told=lambda n: f"{count(n['gaps'], 'interruption trop longue', 'interruptions trop longues')}, et "
        f"{count(n['silent_series'], 'appareil muet', 'appareils muets')} à la fin",
        advice=_SENSOR,
    ),
    "stuck": Phrase(
        "valeurs qui varient",
        told=lambda n: f"la même valeur revient {number(n['longest_run'])} fois de suite, pour "
        f"{number(n['most'])} au plus",
        advice=_SENSOR,
    ),
    "weekday": Phrase(
        "nombre de lignes habituel pour ce jour",
        told=lambda n: f"le dernier jour entier a {count(n['rows'], 'ligne')}, contre "
        f"{number(n['usual'])} d’habitude ce jour de la semaine",
        advice=_WHOLE,
    ),
    "published_columns": Phrase(
        "seules les colonnes publiables", told="une colonne serait publiée sans que sa publication soit décidée",
        advice=_PRIVACY,
    ),
    "k_anonymity": Phrase(
        "k-anonymat",
        told="des personnes pourraient être reconnues : des groupes sont trop petits pour être publiés",
        advice=_PRIVACY,
    ),
    "small_cells": Phrase(
        "aucun effectif trop petit", told="des effectifs sont trop petits pour être publiés", advice=_PRIVACY
    ),
    "suppression_limit": Phrase(
        "lignes écartées pour protéger les personnes",
        told=lambda n: f"{count(n['suppressed_rows'], 'ligne')} sur {number(n['rows'])} "
        f"{'devrait être écartée' if n['suppressed_rows'] < 2 else 'devraient être écartées'} pour protéger les "
        "personnes : c’est plus que la limite",
        advice=_PRIVACY,
    ),
    "l_diversity": Phrase(
        "valeurs sensibles assez variées dans chaque groupe",
        told=lambda n: f"{count(n['failing_classes'], 'groupe')} sur {number(n['classes'])} "
        f"{'n’est pas assez varié' if n['failing_classes'] < 2 else 'ne sont pas assez variés'}",
        advice=_PRIVACY,
    ),
    "t_closeness": Phrase(
        "chaque groupe réparti à peu près comme l’ensemble",
        told=lambda n: f"{count(n['failing_classes'], 'groupe')} sur {number(n['classes'])} "
        f"{'s’écarte' if n['failing_classes'] < 2 else 's’écartent'} trop de l’ensemble",
        advice=_PRIVACY,
    ),
    "differencing_versions": Phrase(
        "aucune différence trop petite avec les versions déjà publiées",
        told=lambda n: f"la différence avec {count(n['exposing'], 'version publiée', 'versions publiées')} désigne "
        f"moins de {number(n['k'])} personnes",
        advice=_PRIVACY,
    ),
    "differencing_datasets": Phrase(
        "aucune différence trop petite avec les autres jeux de données",
        told=lambda n: f"la différence avec {count(n['exposing'], 'jeu de données', 'jeux de données')} désigne "
        f"moins de {number(n['k'])} personnes",
        advice=_PRIVACY,
    ),
    "recoverable_cells": Phrase(
        "cases secrètes que rien ne permet de recalculer",
        told=lambda n: f"{count(n['recoverable'], 'case secrète', 'cases secrètes')} sur {number(n['secret_cells'])} "
        f"{'peut' if n['recoverable'] < 2 else 'peuvent'} être recalculées à partir des autres",
        advice=_PRIVACY,
    ),
    "small_moves": Phrase(
        "groupes qui ont trop peu changé",
        told=lambda n: f"{count(n['classes'], 'groupe')} en attente d’assez de changements",
    ),
    "looser_rules": Phrase(
        "règles usuelles du secret", told="des règles moins strictes que l’usage, pour un motif publié", advice=_PRIVACY
    ),
    "grid": Phrase(
        "carreaux assez grands et assez peuplés",
        told=lambda n: f"{count(n['rows_below'], 'carreau', 'carreaux')} sur {number(n['squares'])} en dit trop",
        advice=_PRIVACY,
    ),
    "identifiers": Phrase(
        "aucun identifiant de personne qui ne soit permis",
        told=lambda n: f"{count(n['columns'], 'colonne')} "
        f"{'contient' if n['columns'] < 2 else 'contiennent'} des identifiants de personnes",
        advice=_PRIVACY,
    ),
    "checked": Phrase("contrôles faits", told="aucun contrôle n’a pu être fait", advice=_INTERNAL),
    "staged": Phrase(
        "fichier prêt à publier", told="le fichier n’a pas été préparé, pour les raisons dites", advice=_INTERNAL
    ),
    "embargo": Phrase("embargo", told="la publication attend la fin d’un embargo"),
    "rolled_back": Phrase(
        "rien de ce qui a été retiré", told="un contenu qui avait été retiré revient", advice="Corrigez-le à la source."
    ),
    "approved": Phrase(
        "approbation", told="la publication attend une approbation",
        advice="La personne désignée peut approuver ce contenu ; le service des données dit comment.",
    ),
    "data_age": Phrase(
        "données récentes",
        told=lambda n: f"la donnée la plus récente a {age(n['age_seconds'])}, pour "
        f"{age(n['promise_seconds'])} au plus promis au public",
        advice="Vérifiez que votre logiciel exporte encore de nouvelles données.",
    ),
    "future_dates": Phrase(
        "pas d’événement dans le futur",
        told=lambda n: f"{count(n['unexpected_count'], 'ligne')} dans un futur trop lointain",
        advice="Vérifiez la date et l’heure de l’appareil ou du logiciel qui les produit.",
    ),
    "periods": Phrase(
        "aucune période manquante",
        told=lambda n: f"{count(n['unexpected_count'], 'période')} sans données sur {number(n['element_count'])}",
        advice="Vérifiez que votre logiciel a bien exporté chaque période, et renvoyez celles qui manquent.",
    ),
    "run_age": Phrase(
        "contrôle récent",
        told=lambda n: f"le dernier contrôle réussi date de {age(n['age_seconds'])}",
        advice=_INTERNAL,
    ),
}  # fmt: skip
"""Rule → its French phrase; privacy rules without the name of file and column at their end."""

FRENCH_PHRASES |= {
    "expect_multicolumn_values_to_be_filled_together": Phrase(
        "colonnes remplies ensemble ou vides ensemble",
        "n’a qu’une partie de ces colonnes remplie",
        "n’ont qu’une partie de ces colonnes remplie",
        advice=_MISSING,
        rows=True,
    ),
    "expect_multicolumn_values_to_have_one_filled": Phrase(
        "au moins une de ces colonnes remplie",
        "n’a aucune de ces colonnes remplie",
        "n’ont aucune de ces colonnes remplie",
        advice=_MISSING,
        rows=True,
    ),
    "expect_multicolumn_values_to_add_up_to_the_first": Phrase(
        "total égal à la somme de ses parties",
        "a un total qui n’est pas la somme de ses parties",
        "ont un total qui n’est pas la somme de ses parties",
        advice=_VALUES,
        rows=True,
    ),
    "expect_multicolumn_values_to_compare": Phrase(
        "première colonne comparée à la seconde comme il est déclaré",
        "a deux valeurs dans le mauvais rapport",
        "ont deux valeurs dans le mauvais rapport",
        advice=_VALUES,
        rows=True,
    ),
}

FRENCH_PHRASES |= {
    PREFIX + name: Phrase(
        f"valeurs valides du type « {name.replace('_', ' ')} »", "n’est pas valide", "ne sont pas valides",
        advice=f"{_VALUES} {one.explained}",
    )
    for name, one in FRENCH.items()
}  # fmt: skip

OF_GROUP: dict[str, str] = {
    "quality": "une règle de qualité n’est pas respectée",
    "quarantine": "des lignes sont écartées (illisibles ou contre une règle)",
    "schema": "les colonnes livrées ne sont pas celles qui sont déclarées",
    "over_time": "les données s’écartent trop de la version publiée ou de leur propre passé",
    "shrink": "trop de données ont disparu depuis la version publiée",
    "privacy": "la protection des personnes n’est pas assurée",
    "freshness": "les données ne sont pas aussi récentes que promis",
    "approval": "la publication attend une approbation",
    "gate": "le fichier préparé n’est pas publiable",
}
"""What is true of every failure of a group, for a rule that has no phrase."""

ADVICE_OF_GROUP: dict[str, str] = {
    "quality": _VALUES, "quarantine": _VALUES, "schema": _TABLE, "over_time": _WHOLE, "shrink": _WHOLE,
    "privacy": _PRIVACY, "freshness": _SENSOR,
}  # fmt: skip
"""What can be done about it; else it is for the data service."""
ADVICE = _INTERNAL
