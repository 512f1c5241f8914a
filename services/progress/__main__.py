"""Starts the progress service."""

from services.progress.app import serve
from services.progress.settings import ProgressSettings
from shared.runtime import logs
from shared.runtime.process import run
from shared.runtime.settings import read

settings = read(ProgressSettings)
logs.configure("progress", settings.log_level)
run(serve(settings), settings.heartbeat, settings.blocked_seconds)
