"""Settings: defaults that work here, the environment above them, and a refusal that names the field."""

import pytest

from shared.harness.settings import StageSettings
from shared.runtime.settings import SharedSettings, read


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*SharedSettings.model_fields, *StageSettings.model_fields):
        monkeypatch.delenv(f"PAGESTREAM_{name.upper()}", raising=False)


@pytest.mark.parametrize("settings", [SharedSettings, StageSettings])
def test_every_field_has_a_default_that_works_on_one_machine(settings) -> None:
    assert read(settings).kafka.startswith("127.0.0.1:")


def test_the_environment_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGESTREAM_PARTITIONS", "48")

    assert read(SharedSettings).partitions == 48


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("PAGESTREAM_PARTITIONS", "0", "greater than or equal to 1"),
        ("PAGESTREAM_PARTITIONS", "many", "valid integer"),
        ("PAGESTREAM_LOG_LEVEL", "LOUD", "DEBUG|INFO|WARNING|ERROR"),
        ("PAGESTREAM_DATABASE", "a/b", "pattern"),
        ("PAGESTREAM_ROLE", "boss", "both|coordinator|worker"),
        ("PAGESTREAM_SLICE_DEADLINE_SECONDS", "0", "greater than 0"),
    ],
)
def test_a_wrong_value_stops_the_start_with_the_fields_name_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], field: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(field, value)

    with pytest.raises(SystemExit) as stopped:
        read(StageSettings)

    said = capsys.readouterr().err
    assert stopped.value.code == 2
    assert f"{field}={value!r}" in said
    assert allowed in said


def test_settings_cannot_be_changed_after_they_were_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read(SharedSettings).partitions = 3
