"""Starts the progress service."""

from services.progress.app import serve
from services.progress.settings import ProgressSettings
from shared.runtime import logs
from shared.runtime.process import run
from shared.runtime.settings import read
from shared.runtime.slot import run_in_slot

settings = read(ProgressSettings)
logs.configure("progress", settings.log_level)
run(run_in_slot("progress", settings, serve), settings.heartbeat, settings.blocked_seconds)
