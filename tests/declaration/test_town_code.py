"""`odp check` reads the town's own Python without running it."""

import pytest

HTTP = "{http: /v1/parkings, system: api}"
GOOD = "raise SystemExit('never run')\ndef lignes(bassin, annee=2026):\n    yield\n"


def declare(town, code=GOOD, source='{python: "metiers.parkings:lignes", arguments: {bassin: Nord}}'):
    if code is not None:
        town.write("metiers/parkings.py", code)
    town.parkings((HTTP, source))


def test_a_module_that_defines_the_name_is_right_and_is_not_run(town):
    declare(town)
    town.read()


@pytest.mark.parametrize(
    "code",
    ["if 1:\n    def lignes(**k): pass\n", "lignes = print\n", "lignes: object = print\n", "class lignes: pass\n",
     "try:\n    import x\nexcept ImportError:\n    pass\nelse:\n    def lignes(*, bassin): pass\n"],
)  # fmt: skip
def test_a_name_can_be_defined_in_any_way(town, code):
    declare(town, code)
    town.read()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (None, "there is no file 'metiers/parkings.py' in the town; write it, or correct the module's name"),
        ("def lignes(:\n", "metiers/parkings.py:1: this is no Python (invalid syntax); mend it"),
        ("\n\nx = '\n", "metiers/parkings.py:3: this is no Python (unterminated string literal"),
        ("a = '\0'", "metiers/parkings.py:1: this is no Python"),
        ("def ligne(): pass\n", "unknown name 'lignes' in metiers/parkings.py; did you mean 'ligne'?"),
        ("\nasync def lignes(): pass\n", "metiers/parkings.py:2: lignes is asynchronous; write a plain function"),
        ("def lignes(): pass\n", "metiers/parkings.py:1: lignes takes no bassin; correct `arguments`"),
        ("def lignes(bassin, an): pass\n", "metiers/parkings.py:1: lignes needs an; give it under `arguments`"),
        ("def lignes(*, bassin, an): pass\n", "metiers/parkings.py:1: lignes needs an; give it under `arguments`"),
        ("def lignes(bassin, /): pass\n", "metiers/parkings.py:1: lignes takes arguments by position only"),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_the_declaration_s_line_and_the_module_s(town, code, message):
    declare(town, code)
    [fault] = town.faults()
    assert fault.startswith(f"assets/mobilite/parkings.yaml:4: source.python: {message}")


@pytest.mark.parametrize("said", ["metiers.parkings", "../x:lignes", "metiers/parkings:lignes", "metiers.parkings:a.b"])
def test_only_a_module_and_a_name_can_be_said(town, said):
    declare(town, source=f'{{python: "{said}"}}')
    [fault] = town.faults()
    assert fault.endswith("expected a module of the town and a name in it, such as metiers.piscines:lignes")


def test_the_module_s_bytes_are_part_of_the_code_version(town):
    declare(town)
    before = town.dataset().code_version
    assert town.dataset().code_version == before
    declare(town, GOOD + "# une remarque\n")
    assert town.dataset().code_version != before
