"""The optimum, the suppression and the models against a second way that tries everything in plain Python."""

import itertools
import math
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odpipeline.privacy.lattice import SCORES, Closeness, Distinct, Entropy, Quasi, Recursive, load, search, solve

LADDERS = {
    "age": [[str(n), f"{n // 2}", f"{n // 4}", "*"] for n in range(8)],
    "lieu": [["a", "nord", "*"], ["b", "nord", "*"], ["c", "sud", "*"], ["d", "sud", "*"]],
    "sexe": [["f", "*"], ["m", "*"]],
}
CARE = [["x", "bas"], ["y", "bas"], ["z", "haut"]]
MODELS = [
    None,
    Distinct("soin", 2),
    Entropy("soin", 1.8),
    Recursive("soin", 2.0, 2),
    Closeness("soin", 0.25),
    Closeness("soin", 0.25, "ordered"),
    Closeness("soin", 0.25, "hierarchical"),
]
PEOPLE = st.lists(
    st.tuples(
        st.integers(0, 7).map(str), st.sampled_from("abcd") | st.none(), st.sampled_from("fm"), st.sampled_from("xyz")
    ),
    min_size=1,
    max_size=40,
)


def table(connection, people, order=("age", "lieu", "sexe")):
    for name, ladder in {**LADDERS, "soin": CARE}.items():
        levels = ", ".join(["leaf", *(f"level_{n}" for n in range(1, len(ladder[0])))])
        rows = ", ".join("(" + ", ".join(f"'{value}'" for value in line) + ")" for line in ladder)
        connection.execute(f"CREATE OR REPLACE TABLE l_{name} AS SELECT * FROM (VALUES {rows}) t({levels})")
    connection.execute("CREATE OR REPLACE TABLE people (age VARCHAR, lieu VARCHAR, sexe VARCHAR, soin VARCHAR)")
    connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", people)
    return load(connection, "people", [Quasi(n, f"l_{n}") for n in order], [Quasi("soin", "l_soin")])


def up(name, value, level):
    if value is None:
        return None
    return next(line for line in LADDERS[name] if line[0] == value)[level]


def emd(p, q, distance):
    """The earth mover's distance as Li (2007) defines it, from the values' shares."""
    values = [value for value in ("x", "y", "z") if q[value]]
    if distance == "equal":
        return sum(abs(p[v] - q[v]) for v in values) / 2
    if distance == "ordered":
        running, total = 0.0, 0.0
        for value in values:
            running += p[value] - q[value]
            total += abs(running)
        return total / (len(values) - 1) if len(values) > 1 else 0.0
    leaves = sum(abs(p[v] - q[v]) for v in "xyz") / 2
    groups = sum(abs(sum(p[v] - q[v] for v in g)) for g in ("xy", "z")) / 2
    return (leaves + groups) / 2  # two levels of edges up to a common root


def ok(model, rows, everyone):
    cares = Counter(row[3] for row in rows)
    shares = {v: cares[v] / len(rows) for v in "xyz"}
    whole = Counter(row[3] for row in everyone)
    match model:
        case None:
            return True
        case Distinct():
            return len(cares) >= model.least
        case Entropy():
            return -sum(s * math.log(s) for s in shares.values() if s) >= math.log(model.least) - 1e-9
        case Recursive():
            ordered = sorted(cares.values(), reverse=True)
            return ordered[0] < model.c * sum(ordered[model.least - 1 :])
        case Closeness():
            return emd(shares, {v: whole[v] / len(everyone) for v in "xyz"}, model.distance) <= model.most + 1e-9


def cost(score, kept, out, everyone, levels):
    n, supp, names = len(everyone), sum(map(len, out)), list(LADDERS)
    if score == "height":
        return float(sum(levels))
    if score == "discernibility":
        return float(sum(len(c) ** 2 for c in kept) + n * supp)
    if score == "average_class":
        return n / (len(kept) + bool(supp)) if kept or supp else 0.0
    losses, bits, climbed = [], 0.0, 0.0
    for j, name in enumerate(names):
        size, level = len(LADDERS[name]), levels[j]
        below = Counter(line[level] for line in LADDERS[name])
        raw = supp + sum((below[up(name, r[j], level)] or 1) / size for c in kept for r in c)
        losses.append(max(0.0, (raw - n / size) / (n - n / size)))
        a, b = Counter(r[j] for r in everyone), Counter(up(name, r[j], level) for r in everyone)
        s = Counter(up(name, r[j], level) for c in out for r in c)
        bits -= sum(c * math.log2(c / b[up(name, v, level)]) for v, c in a.items())
        bits -= sum(c * math.log2(c / supp) for c in s.values())
        climbed += ((n - supp) * level / (len(LADDERS[name][0]) - 1) + supp) / n
    geometric = math.prod(loss + 1 for loss in losses) ** (1 / 3) - 1
    return {"loss": sum(losses) / 3, "geometric_loss": geometric, "entropy": bits, "precision": climbed / 3}[score]


def brute(people, k, limit, score, model):
    best = None
    for levels in itertools.product(*(range(len(ladder[0])) for ladder in LADDERS.values())):
        classes = defaultdict(list)
        for row in people:
            classes[tuple(up(n, row[j], levels[j]) for j, n in enumerate(LADDERS))].append(row)
        kept = [c for c in classes.values() if len(c) >= k and ok(model, c, people)]
        out = [c for c in classes.values() if not (len(c) >= k and ok(model, c, people))]
        if sum(map(len, out)) <= math.floor(limit * len(people) + 1e-9):
            key = (float(f"{cost(score, kept, out, people, levels):.9g}"), sum(map(len, out)), sum(levels), levels)
            best = min(best or key, key)
    return best


@pytest.mark.parametrize("score", SCORES)
@settings(deadline=None, max_examples=15)
@given(
    people=PEOPLE,
    k=st.integers(1, 5),
    limit=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    model=st.sampled_from(MODELS),
    triples_after=st.sampled_from([0, 2, 100]),
)
def test_the_optimum_is_the_best_of_all_nodes(score, people, k, limit, model, triples_after, connection):
    with pytest.MonkeyPatch.context() as patched:  # so small a lattice ends before triples of columns are looked at
        patched.setattr(search, "_TRIPLES_AFTER", triples_after)
        found = solve(table(connection, people), k, limit=limit, score=score, models=[model] if model else [])
    expected = brute(people, k, limit, score, model)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert found.optimal
    assert found.score == pytest.approx(expected[0], rel=1e-7, abs=1e-9)
    assert found.suppressed == expected[1]
    assert found.suppressed <= math.floor(limit * len(people) + 1e-9)


@settings(deadline=None, max_examples=20)
@given(people=PEOPLE, data=st.data(), score=st.sampled_from(list(SCORES)))
def test_neither_the_order_of_rows_nor_of_columns_changes_what_is_found(people, data, score, connection):
    first = solve(table(connection, people), 3, limit=0.2, score=score)
    shuffled = data.draw(st.permutations(people))
    order = data.draw(st.permutations(list(LADDERS)))
    again = solve(table(connection, shuffled, order), 3, limit=0.2, score=score)
    assert first == again


@settings(deadline=None, max_examples=15)
@given(people=PEOPLE, k=st.integers(2, 5))
def test_every_class_that_is_kept_has_k_rows_by_an_independent_count(people, k, connection):
    found = solve(table(connection, people), k, limit=0.3)
    if found is None:
        return
    kept, lost = 0, 0
    coarse = [tuple(up(n, row[j], found.levels[n]) for j, n in enumerate(LADDERS)) for row in people]
    for size in Counter(coarse).values():
        kept, lost = (kept + 1, lost) if size >= k else (kept, lost + size)
    assert (kept, lost) == (found.classes, found.suppressed)
