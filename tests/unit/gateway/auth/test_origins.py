"""Pages of other origins and names that others chose for this machine stay out."""

import pytest

from services.gateway.auth.origins import OriginPolicy
from services.gateway.problems import Problem
from services.gateway.settings import GatewaySettings

HERE = "127.0.0.1:8000"


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "localhost", "[::1]:8000"])
def test_this_machine_is_called_by_its_own_names(host: str) -> None:
    OriginPolicy(()).check_host(host)


@pytest.mark.parametrize("host", ["evil.example:8000", "", "localhost.evil.example", "127.0.0.1.evil.example"])
def test_a_name_that_somebody_else_points_here_is_refused(host: str) -> None:
    with pytest.raises(Problem, match="foreign_host"):
        OriginPolicy(()).check_host(host)


def test_programs_and_our_own_page_may_call() -> None:
    OriginPolicy(()).check_origin(None, HERE)
    OriginPolicy(()).check_origin(f"http://{HERE}", HERE)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"http://{HERE}.evil", "http://127.0.0.1:9", ""])
def test_pages_of_other_origins_are_refused(origin: str) -> None:
    with pytest.raises(Problem, match="foreign_origin"):
        OriginPolicy(()).check_origin(origin, HERE)


def test_listed_origins_may_call_exactly_as_listed() -> None:
    origin_policy = OriginPolicy(("https://desk.example",))
    origin_policy.check_origin("https://desk.example", HERE)
    with pytest.raises(Problem):
        origin_policy.check_origin("https://desk.example.evil", HERE)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])
def test_beyond_this_machine_nobody_is_served_without_a_key_unless_the_network_is_trusted(host: str) -> None:
    assert GatewaySettings().open_house
    assert not GatewaySettings(gateway_host=host).open_house
    assert GatewaySettings(gateway_host=host, gateway_trust_network=True).open_house


@pytest.mark.parametrize("origin", ["*", "desk.example", "https://*.example", "https://desk.example/path"])
def test_an_origin_is_written_in_full(origin: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        GatewaySettings(origins=(origin,))
