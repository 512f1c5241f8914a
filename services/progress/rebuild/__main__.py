"""`python -m services.progress.rebuild [MODE] [--from-zero]`: rebuild the projection; see `generation_swap`."""

import argparse
from typing import get_args

from services.progress.rebuild.generation_swap import RebuildMode, main
from shared.runtime import logs
from shared.runtime.process import run

parser = argparse.ArgumentParser(prog="python -m services.progress.rebuild", description="Rebuild the projection.")
parser.add_argument("mode", nargs="?", choices=get_args(RebuildMode), default="swap", help="default: %(default)s")
parser.add_argument("--from-zero", action="store_true", help="read the whole log, take no snapshot")
arguments = parser.parse_args()
mode: RebuildMode = arguments.mode
logs.configure("rebuild", "ERROR")
run(main(mode, from_zero=arguments.from_zero))
