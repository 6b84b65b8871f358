"""The folders of the bench, and the cores that its processes are bound to."""

import os

from deploy.dev_stack.stack import ROOT

FOLDER = ROOT / ".run-bench"
# Made anew by each run: the figures of two runs then begin from the same.
STACK = FOLDER / "stack"
# Kept between runs: a million dossiers take longer to make than to measure.
DATA = FOLDER / "data"

PROXY_CORE, OTHER_CORE = 0, (os.cpu_count() or 1) - 1
