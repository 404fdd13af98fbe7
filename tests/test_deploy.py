"""The examples for service: units that systemd takes, and a composition whose UI is reached through the proxy only."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from tests.towns import ROOT

UNITS = sorted((ROOT / "deploy/systemd").glob("odp-*"))
COMPOSE = ROOT / "deploy/compose"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path):
    town = tmp_path / "ville"
    (town / ".venv/bin").mkdir(parents=True)
    for program in ("dagster", "dagster-webserver", "dagster-daemon", "odp"):
        (town / ".venv/bin" / program).symlink_to(Path(sys.executable).parent / program)
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/srv/ville", str(town)))
    command = ["systemd-analyze", "verify", "--recursive-errors=no", *(str(tmp_path / unit.name) for unit in UNITS)]
    ended = subprocess.run(command, capture_output=True, text=True)
    said = [line for line in ended.stderr.splitlines() if "odp-" in line]
    assert (ended.returncode, said) == (0, []), ended.stderr


def test_nothing_listens_beyond_loopback_but_the_proxy():
    bound = re.findall(r"-h (\S+)", "".join(unit.read_text() for unit in UNITS))
    assert set(bound) == {"127.0.0.1"}
    services = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    assert [name for name, one in services["services"].items() if "ports" in one] == ["proxy"]
    assert services["networks"]["inside"] == {"internal": True}
    assert services["services"]["webserver"]["networks"] == ["inside"]
    ui = (COMPOSE / "Caddyfile").read_text().split("{$UI_HOST} {")[1]
    assert ui.index("basic_auth") < ui.index("reverse_proxy webserver:3000")


def test_secrets_are_given_to_the_code_server_only():
    assert [unit.name for unit in UNITS if "secrets.env" in unit.read_text()] == ["odp-code.service"]
    services = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
    assert [name for name, one in services.items() if "env_file" in one] == ["code"]


def test_whoever_opens_the_journal_or_the_store_may_be_given_its_address_and_keys():
    """Commands that open them, by what they need; a unit without such a file starts all the same."""
    needs = {"metrics": {"journal", "store"}, "watch": {"journal", "store"}, "backup": {"journal", "store"},
             "serve": {"store"}, "code": {"journal", "store"}}  # fmt: skip
    for unit in (ROOT / "deploy/systemd").glob("odp-*.service"):
        optional = set(re.findall(r"^EnvironmentFile=-/etc/odp/(\w+)\.env$", unit.read_text(), re.MULTILINE))
        assert optional == needs.get(unit.stem.removeprefix("odp-"), set()), unit.name


def test_every_command_of_ours_that_is_started_exists():
    from typer.main import get_command

    from odpipeline.cli import app

    for unit in UNITS:
        for command, *options in re.findall(r"bin/odp (\w+)(?: \S+)*?(?: (--\w+))?", unit.read_text()):
            known = get_command(app).commands[command]  # type: ignore[attr-defined]
            assert set(filter(None, options)) <= {name for one in known.params for name in one.opts}


def test_the_chart_gets_our_definitions_its_secrets_by_name_and_the_driver_that_it_needs():
    values = yaml.safe_load((ROOT / "deploy/helm/values.yaml").read_text())
    [town] = values["dagster-user-deployments"]["deployments"]
    assert town["dagsterApiGrpcArgs"] == ["-m", "odpipeline.orchestration.definitions"]
    assert {"name": "ODP_TOWN", "value": "/town"} in town["env"]
    assert town["envSecrets"] == [{"name": "odp-secrets"}]
    assert [mount["name"] for mount in town["volumeMounts"]] == [volume["name"] for volume in town["volumes"]]
    assert town["includeConfigInLaunchedRuns"]["enabled"]
    assert values["runLauncher"]["type"] == "K8sRunLauncher"
    assert values["postgresql"]["postgresqlScheme"] == "postgresql+psycopg2"
    assert not re.search(r"(?i)password: *\S", (ROOT / "deploy/helm/values.yaml").read_text())
    assert not values["ingress"]["enabled"]
    assert f"--version {version('dagster')} " in (ROOT / "deploy/helm/values.yaml").read_text()


def test_workers_hold_the_secrets_and_no_port():
    services = yaml.safe_load((COMPOSE / "workers.yaml").read_text())["services"]
    assert services["worker"]["extends"] == {"file": "compose.yaml", "service": "code"}
    assert "odpipeline.orchestration.worker" in services["worker"]["command"]
    assert not any("ports" in one for one in services.values())
    assert services["redis"]["networks"] == ["inside"]
