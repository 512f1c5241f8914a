"""What is said while the stack starts, runs and stops."""

import io

import pytest
from rich.console import Console

from cli.startup import Startup, words
from stack.events import Died, Downloading, Ready, Starting, Stopped, Stopping


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Starting("kafka", "packaged Java 25"), "Kafka is starting (packaged Java 25)"),
        (Ready("kafka", 2.31), "Kafka ready in 2.3 s"),
        (Died("ocr", -9, 0.5, ("last words",)), "ocr died (exit -9), again in 0.5 s"),
        (Died("progress", 0, 0.5, ()), "progress ended by itself, again in 0.5 s"),
        (Downloading("Kafka", 10, 46), None),
        (Downloading("Kafka", 46, 46), "Kafka downloaded"),
        (Stopping("ocr"), None),
        (Stopped("ocr", 0.3, killed=False), None),
        (Stopped("ocr", 10.0, killed=True), "ocr did not stop by itself and was killed after 10 s"),
    ],
)
def test_each_event_is_a_sentence_or_silence(event, said: str | None) -> None:
    assert words(event) == said


def told(terminal: bool, *events) -> str:
    out = io.StringIO()
    with Startup(Console(file=out, force_terminal=terminal, width=120)) as startup:
        for event in events:
            startup.on_event(event)
    return out.getvalue()


def test_without_a_terminal_a_download_is_one_line() -> None:
    downloads = [Downloading("Kafka", done, 46_000_000) for done in range(0, 46_000_001, 1_000_000)]
    assert told(False, *downloads) == "Kafka downloaded\n"


def test_on_a_terminal_a_download_has_a_bar() -> None:
    assert "downloading Kafka" in told(True, Downloading("Kafka", 20, 46))


def test_the_last_words_of_a_dead_program_stand_below_its_death() -> None:
    text = told(False, Died("ocr", 1, 0.5, ("a", "b", "[bold]ValueError: no")))
    assert text.splitlines() == ["ocr died (exit 1), again in 0.5 s", "    a", "    b", "    [bold]ValueError: no"]
