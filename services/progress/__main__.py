"""Starts the progress service."""

from services.progress.app import serve
from services.progress.settings import ProgressSettings
from shared import logs
from shared.process import run
from shared.settings import read

settings = read(ProgressSettings)
logs.configure("progress", settings.log_level)
run(serve(settings), settings.heartbeat)
