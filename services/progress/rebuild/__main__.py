"""`python -m services.progress.rebuild MODE`: rebuild the projection; see `generation_swap`."""

import sys
from typing import cast

from services.progress.rebuild.generation_swap import RebuildMode, main
from shared.runtime import logs
from shared.runtime.process import run

logs.configure("rebuild", "ERROR")
run(main(cast(RebuildMode, sys.argv[1] if len(sys.argv) > 1 else "swap")))
