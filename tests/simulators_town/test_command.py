"""`python -m tests.simulators`: runs a command with the systems up, or serves until it is interrupted."""

import shlex
import signal
import subprocess
import sys

import pytest
import requests

from tests.simulators_town.conftest import ROOT

START = [sys.executable, "-m", "tests.simulators", "--night", "1"]
PROBE = """
import os, sys, urllib.request
body = urllib.request.urlopen(os.environ["ODP_ETATCIVIL_URL"] + "/prenoms.csv").read()
sys.exit(7 if body.startswith(b"annee;") and len(os.environ["ODP_SECRET_AIDES"]) == 64 else 1)
"""


def test_the_command_runs_with_the_systems_up_and_its_status_comes_back():
    done = subprocess.run([*START, "--", sys.executable, "-c", PROBE], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")


def test_a_signal_reaches_the_command():
    code = "import time; print('up', flush=True); time.sleep(60)"
    with subprocess.Popen([*START, "--", sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as running:
        assert running.stdout
        assert running.stdout.readline() == b"up\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 128 + signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_command_it_prints_the_environment_and_serves(number):
    with subprocess.Popen(START, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        lines = [running.stdout.readline() for _ in range(9)]
        environment = dict(shlex.split(line)[1].split("=", 1) for line in lines)
        assert requests.get(environment["ODP_TRAFIC_URL"] + "/etat", timeout=10).ok
        running.send_signal(number)
        assert running.wait(30) == 128 + number


def test_nights_are_counted_from_one():
    done = subprocess.run([*START[:-1], "0"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "nights are counted from 1" in done.stderr
