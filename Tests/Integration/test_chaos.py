# SPDX-License-Identifier: MIT
"""A short run of dev/chaos: whatever is killed, nothing is left behind, lost or mixed up.

MCP_GATEWAY_CHAOS_SECONDS says how long (25 by default), MCP_GATEWAY_CHAOS_SEED repeats the same choices.
"""

import os
import random
from pathlib import Path

import pytest

from harness.chaos import Chaos

SECONDS = float(os.environ.get("MCP_GATEWAY_CHAOS_SECONDS", "25"))
SEED = int(os.environ.get("MCP_GATEWAY_CHAOS_SEED", str(random.randrange(1 << 30))))


@pytest.mark.timeout(SECONDS + 300)
def test_nothing_is_left_lost_or_mixed_up_when_everything_is_killed_at_random(tmp_path: Path) -> None:
    report = Chaos(tmp_path, SEED, sessions=100).run(SECONDS)
    print(report.table)
    assert not report.faults, f"seed {SEED}: {report.faults[:10]}"
    assert (report.strays, report.zombies, report.lost_adapters) == (0, 0, 0), report.table
    assert report.kills and report.answered and report.surviving, report.table
