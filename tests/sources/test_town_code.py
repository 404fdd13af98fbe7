"""The town's own Python: its rows as they come, in a process of its own, and nothing of its exceptions but the line."""

import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from odpipeline.declaration.source import PythonSource
from odpipeline.errors import SourceError, SourceUnavailable
from odpipeline.sources import town_code

HEAD = "import pyarrow as pa\n"


@pytest.fixture
def run(tmp_path, order):
    """Runs `lignes` of metiers/piscines.py, whose text is given."""

    def ran(code, **said):
        module = tmp_path / "metiers" / "piscines.py"
        module.parent.mkdir(exist_ok=True)
        module.write_text(HEAD + code)
        source = PythonSource.model_validate({"python": "metiers.piscines:lignes"} | said)
        return town_code.extract(source, order())

    return ran


def table(delivery):
    assert oct(delivery.path.stat().st_mode)[-3:] == "600"
    return pq.read_table(delivery.path)


@pytest.mark.parametrize(
    "gives",
    [
        "yield pa.record_batch({'a': [1]}); yield pa.record_batch({'a': [2]})",
        "return pa.record_batch({'a': [1, 2]})",
        "return pa.table({'a': [1, 2]}).to_reader(max_chunksize=1)",
        "return [pa.table({'a': [1]}), pa.record_batch({'a': [2]})]",
        "import duckdb; return duckdb.sql('SELECT unnest([1, 2])::BIGINT AS a')",
    ],
    ids=["batches", "one batch", "a reader", "a list of both", "anything that exports Arrow"],
)
def test_whatever_is_arrow_is_written_as_it_comes(run, gives):
    assert table(run(f"def lignes():\n    {gives}\n")) == pa.table({"a": [1, 2]})


def test_arguments_go_by_name_and_the_folder_is_the_town_s(run, tmp_path):
    (tmp_path / "bassins.txt").write_text("Nord")
    code = "def lignes(*, n, ville='x'):\n    return pa.table({'b': [open('bassins.txt').read() + ville] * n})\n"
    assert table(run(code, arguments={"n": 2})) == pa.table({"b": ["Nordx", "Nordx"]})


def test_no_rows_are_delivered_as_none(run):
    assert table(run("def lignes():\n    return pa.table({'a': pa.array([], pa.int64())})\n")).num_rows == 0


@pytest.mark.parametrize(
    ("code", "where", "message"),
    [
        ("def lignes():\n    yield pa.record_batch({'a': [1]})\n    {}['Madame Durand']\n",
         "metiers/piscines.py:4", "the town's own code raised KeyError; run it by hand to see why (its own message"),
        ("def lignes():\n    return pa.array(['Madame Durand'], pa.int64())\n",
         "metiers/piscines.py:3", "the town's own code raised ArrowInvalid;"),
        ("raise ValueError('Madame Durand')\ndef lignes(): pass\n",
         "metiers/piscines.py:2", "the town's own code raised ValueError;"),
        ("import sys\ndef lignes():\n    sys.exit('Madame Durand')\n",
         "metiers/piscines.py:4", "the town's own code raised SystemExit;"),
        ("import metiers.autre\ndef lignes(): pass\n",
         "metiers/piscines.py:2", "the town's own code raised ModuleNotFoundError;"),
        ("import os, signal\ndef lignes():\n    os.kill(os.getpid(), signal.SIGSEGV)\n",
         "metiers/piscines.py", "the town's own code ended its process (status -11);"),
        ("def lignes():\n    return ['Madame Durand']\n",
         "metiers/piscines.py", "the town's own code yields something else than Arrow; yield pyarrow.RecordBatch"),
        ("def lignes():\n    return []\n", "metiers/piscines.py", "the town's own code yields nothing;"),
        ("def lignes():\n    yield pa.record_batch({'a': [1]})\n    yield pa.record_batch({'a': ['Durand']})\n",
         "metiers/piscines.py", "a batch has other columns or types than the first one;"),
        ("def lignes():\n    return pa.table([[1], [2]], names=['a', 'a'])\n",
         "metiers/piscines.py", "two columns are called a;"),
        ("def lignes():\n    return pa.table({'a': [['Durand']]})\n",
         "metiers/piscines.py", "the column a is nested or holds bytes; make it text"),
        ("def lignes():\n    yield pa.record_batch({'a': pa.array([(1, 2, 3)], pa.month_day_nano_interval())})\n",
         "metiers/piscines.py", "the rows have a type that cannot be written; make it"),
        ("def lignes():\n    return pa.table({'a': pa.array([b'\\xe9']).view(pa.string())})\n",
         "metiers/piscines.py", "a text is not valid UTF-8;"),
    ],
    ids=["raises among rows", "raises in a library", "raises when loaded", "exits", "imports another file", "crashes",
         "no Arrow", "nothing", "another schema", "twins", "nested", "odd type", "bad text"],
)  # fmt: skip
def test_what_goes_wrong_is_told_without_a_cell(run, code, where, message):
    with pytest.raises(SourceError) as error:
        run(code)
    assert str(error.value).startswith(f"{where}: {message}")
    assert "Durand" not in str(error.value)
    assert error.value.__cause__ is None


def test_what_it_prints_goes_nowhere(run, capfd):
    run(
        "import sys\nprint('Durand'); print('Durand', file=sys.stderr)\n"
        "def lignes():\n    return pa.table({'a': [1]})\n"
    )
    assert capfd.readouterr() == ("", "")


def test_what_hangs_is_ended_with_all_that_it_started(run, tmp_path):
    code = (
        "import subprocess, time\ndef lignes():\n    child = subprocess.Popen(['sleep', '60'])\n"
        "    open('child', 'w').write(str(child.pid))\n    time.sleep(60)\n"
    )
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match=r"was not done after 2 s; raise `deadline` in assets/"):
        run(code, deadline="2 s")
    assert time.monotonic() - started < 10
    child, until = (tmp_path / "child").read_text(), time.monotonic() + 10
    while alive(child) and time.monotonic() < until:  # a busy machine takes its time to end it
        time.sleep(0.05)
    assert not alive(child)


def alive(pid):
    """Whether the process runs: one that was killed may wait for its parent to take note."""
    try:
        with open(f"/proc/{pid}/stat") as status:  # noqa: PTH123
            return status.read().split(")")[-1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_rows_without_end_are_stopped(run):
    code = (
        "import os\ndef lignes():\n    while True:\n        yield pa.record_batch({'a': [os.urandom(50000).hex()]})\n"
    )
    with pytest.raises(SourceError, match="the rows take more than 1,000,000 bytes; yield fewer, or raise `max_bytes`"):
        run(code, max_bytes=1_000_000)


def test_the_file_itself_is_run_and_leaves_no_bytecode(run, tmp_path):
    run("from dataclasses import dataclass\n@dataclass\nclass Bassin:\n    n: 'int' = 1\n"
        "def lignes():\n    return pa.table({'a': [Bassin().n]})\n")  # fmt: skip
    assert [path.name for path in (tmp_path / "metiers").iterdir()] == ["piscines.py"]


def test_nothing_is_run_from_outside_the_town(tmp_path, order):
    (tmp_path / "metiers").symlink_to("/tmp", target_is_directory=True)
    with pytest.raises(SourceError, match=r"there is no file 'json\.py' in the town"):
        town_code.extract(PythonSource(python="json:loads"), order())
    with pytest.raises(SourceError, match=r"there is no file 'metiers/x\.py' in the town"):
        town_code.extract(PythonSource(python="metiers.x:lignes"), order())


def test_the_key_of_the_private_zone_is_not_lent_to_it(run, monkeypatch):
    monkeypatch.setenv("ODP_PRIVATE_KEY", "AGE-SECRET-KEY-1ABC")
    monkeypatch.setenv("ODP_BASE", "postgresql://lecteur@base/ville")
    code = (
        "import os\ndef lignes():\n"
        "    return pa.table({'a': [n for n in sorted(os.environ) if n.startswith('ODP_')]})\n"
    )
    assert table(run(code))["a"].to_pylist() == ["ODP_BASE"]
