"""The settings of the one-machine stack."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.runtime.settings import SharedSettings
from stack import mongodb
from stack.infrastructure import wanted_ports
from stack.settings import StackSettings


def test_the_downloads_lie_in_the_data_folder_unless_told_otherwise(tmp_path: Path) -> None:
    assert StackSettings(data=tmp_path).downloads == tmp_path / "cache"
    assert StackSettings(data=tmp_path, cache=tmp_path / "c").downloads == tmp_path / "c"


def test_an_address_in_the_environment_takes_its_ports_off_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGESTREAM_KAFKA", "broker:9092")
    assert set(wanted_ports(StackSettings())) == {"mongo"}


def test_an_empty_variable_is_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGESTREAM_KAFKA", "")
    assert StackSettings().kafka is None


def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGESTREAM_MONGO_PORT", "70000")
    with pytest.raises(ValidationError, match="mongo_port"):
        StackSettings()


def test_a_service_started_by_hand_looks_where_the_stack_listens_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA", "MONGO", "KAFKA_PORT", "MONGO_PORT"):
        monkeypatch.delenv(f"PAGESTREAM_{name}", raising=False)
    stack, service = StackSettings(), SharedSettings()
    assert service.kafka == f"127.0.0.1:{stack.kafka_port}"
    assert service.mongo == mongodb.address(stack.mongo_port)
