"""compose.yaml and the Dockerfile say what the code says: no container engine is needed to know it."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.gateway.settings import GatewaySettings
from services.ocr.settings import OcrSettings
from services.progress.settings import ProgressSettings
from shared.events.pipeline import PIPELINE
from shared.harness.settings import StageSettings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [*(line.service.rpartition(".")[2] for line in PIPELINE), "progress", "gateway"]
CACHE = "PAGESTREAM_CACHE"  # the chunker's model


def known_settings() -> set[str]:
    """Every environment name that some service reads."""
    models = (StageSettings, ProgressSettings, GatewaySettings, OcrSettings)
    return {
        f"{model.model_config.get('env_prefix', '')}{name}".upper() for model in models for name in model.model_fields
    } | {CACHE}


@pytest.mark.parametrize("service", OURS)
def test_each_service_runs_the_module_of_its_name(service: str) -> None:
    assert SERVICES[service]["command"] == ["python", "-m", f"services.{service}"]
    assert find_spec(f"services.{service}.__main__")


def test_there_is_nothing_but_broker_database_provisioning_and_our_services() -> None:
    assert set(SERVICES) == {"kafka", "mongo", "provision", *OURS}
    assert SERVICES["provision"]["command"] == ["python", "-m", "shared.provisioning"]


@pytest.mark.parametrize("service", ["provision", *OURS])
def test_each_environment_name_is_a_setting_of_the_code(service: str) -> None:
    assert set(SERVICES[service]["environment"]) <= known_settings()


@pytest.mark.parametrize("service", OURS)
def test_a_service_can_be_started_more_than_once(service: str) -> None:
    """`--scale`: a fixed name of the host, or of the container, would be the same for all."""
    assert not {"hostname", "container_name"} & SERVICES[service].keys()


def test_our_services_are_told_the_addresses_that_broker_and_database_have() -> None:
    environment = SERVICES["ocr"]["environment"]
    assert environment["PAGESTREAM_KAFKA"] == "kafka:9092"
    assert SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://kafka:9092"
    name = SERVICES["mongo"]["command"][SERVICES["mongo"]["command"].index("--replSet") + 1]
    assert environment["PAGESTREAM_MONGO"] == f"mongodb://mongo:27017/?replicaSet={name}"


def test_the_gateways_settings_are_accepted_by_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in SERVICES["gateway"]["environment"].items():
        monkeypatch.setenv(key, str(value))
    settings = GatewaySettings()
    assert (settings.gateway_host, settings.gateway_port) == ("0.0.0.0", 8000)


def test_only_the_gateway_is_published_and_only_on_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"gateway": ["127.0.0.1:8000:8000"]}


def test_everything_that_is_stored_is_on_a_named_volume() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert used == set(COMPOSE["volumes"]) == {"kafka", "mongo", "data"}


def test_everything_that_runs_on_has_a_health_check_and_is_restarted() -> None:
    for name, service in SERVICES.items():
        if name != "provision":
            assert service["healthcheck"]["test"][0] == "CMD", name
            assert service["restart"] == "unless-stopped", name


def test_images_are_pinned_and_the_brokers_is_the_one_that_the_stack_runs() -> None:
    version = re.search(r"kafka_2\.13[:-](\d+\.\d+\.\d+)", (ROOT / "stack" / "kafka-jars.txt").read_text())
    assert version
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version[1]}"
    assert re.fullmatch(r"mongo:\d+\.\d+", SERVICES["mongo"]["image"])


def test_the_dockerfile_copies_what_is_there_and_what_the_services_import() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert {"shared/", "services/"} <= set(sources)
    assert all((ROOT / source).exists() for source in sources)
