"""Slots: no two processes have the same, and the next life of a process has that of the one before."""

import multiprocessing
import os
import signal
import socket
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from shared.errors import Rejected
from shared.runtime import slot
from shared.runtime.slot import SlotSettings


def settings(folder: Path, name: str = "") -> SlotSettings:
    return SlotSettings(slot=name, slots_folder=folder)


def hold(folder: Path, told: Connection) -> None:
    with slot.held("ocr", settings(folder)) as name:
        told.send(name)
        signal.pause()


def test_each_process_has_one_of_its_own_and_the_next_has_that_which_was_left(tmp_path: Path) -> None:
    with ExitStack() as first, slot.held("ocr", settings(tmp_path)) as other:
        mine = first.enter_context(slot.held("ocr", settings(tmp_path)))
        assert (other[-2:], mine[-2:]) == ("-1", "-2")
        assert other.startswith(f"{socket.gethostname()}-")
        with slot.held("chunker", settings(tmp_path)) as of_another_service:
            assert of_another_service == other
        first.close()
        with slot.held("ocr", settings(tmp_path)) as again:
            assert again == mine


def test_one_whose_process_was_killed_is_free_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=hold, args=(tmp_path, there))
    process.start()
    assert here.poll(30)
    theirs = here.recv()
    with slot.held("ocr", settings(tmp_path)) as mine:
        assert mine != theirs
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with slot.held("ocr", settings(tmp_path)) as again:
        assert again == theirs


def test_machines_of_one_name_have_others(tmp_path: Path) -> None:
    with slot.held("ocr", settings(tmp_path / "a")) as here, slot.held("ocr", settings(tmp_path / "b")) as there:
        assert here != there


def test_a_configured_one_is_refused_to_a_second_process(tmp_path: Path) -> None:
    with slot.held("ocr", settings(tmp_path, "rack-7")) as mine:
        assert mine == "rack-7"
        with pytest.raises(Rejected, match="has the slot"), slot.held("ocr", settings(tmp_path, "rack-7")):
            pass
        with slot.held("chunker", settings(tmp_path, "rack-7")) as of_another_service:
            assert of_another_service == mine
    with slot.held("ocr", settings(tmp_path, "rack-7")):
        pass


def test_a_name_with_a_slash_is_not_allowed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pattern"):
        settings(tmp_path, "../up")
