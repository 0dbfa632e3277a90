# SPDX-License-Identifier: MIT OR Apache-2.0
"""The measurements of benches/load go on working: each once, as short as can be."""
from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from harness import PATIENCE_S, ROOT

RUNS = {"neighbours": ["--only", "newcomers"], "scaling": []}


@pytest.mark.parametrize("name", RUNS)
def test_a_measurement_runs_and_tells_its_rows(name, tmp_path):
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    script = ROOT / "benches" / "load" / f"{name}.py"
    command = [sys.executable, "-W", "ignore", script, "--quick", "--data", tmp_path, *RUNS[name]]
    done = subprocess.run(command, text=True, capture_output=True, timeout=4 * PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith(name + " | ")]
    assert rows and "nan" not in done.stdout, done.stdout
