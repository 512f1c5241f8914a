"""Ports are found free before anything starts, and a clash has a name."""

import asyncio
import socket

import pytest

from shared.errors import Rejected
from stack.ports import HOST, Wanted, choose, choose_patiently


def any_port(what: str) -> Wanted:
    return Wanted(0, what, f"PAGESTREAM_{what}_PORT")


def test_zero_takes_free_ports_that_differ() -> None:
    chosen = choose({name: any_port(name) for name in ("a", "b", "c", "d")})
    assert len(set(chosen.values())) == 4
    assert 0 not in chosen.values()


def test_a_free_port_is_taken_as_asked() -> None:
    free = choose({"a": any_port("a")})["a"]
    assert choose({"a": Wanted(free, "A", "A_PORT")}) == {"a": free}


def test_a_busy_port_is_refused_with_its_number_who_wanted_it_and_the_setting() -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Rejected) as refused:
            choose({"kafka": Wanted(port, "Kafka", "PAGESTREAM_KAFKA_PORT")})
    assert refused.value.code == "port_in_use"
    assert refused.value.facts == {"port": port, "what": "Kafka", "setting": "PAGESTREAM_KAFKA_PORT"}


def test_two_wishes_for_the_same_port_are_refused() -> None:
    free = choose({"a": any_port("a")})["a"]
    with pytest.raises(Rejected, match=str(free)):
        choose({"a": Wanted(free, "A", "A_PORT"), "b": Wanted(free, "B", "B_PORT")})


def test_a_port_whose_last_connection_has_just_closed_is_free() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((HOST, port)):
            accepted, _ = server.accept()
            accepted.close()  # the server's end closes first, so TIME_WAIT is on its port
    assert choose({"a": Wanted(port, "A", "A_PORT")}) == {"a": port}


async def test_a_port_that_is_given_up_within_the_patience_is_taken() -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        asyncio.get_running_loop().call_later(0.1, other.close)
        assert await choose_patiently({"a": Wanted(port, "A", "A_PORT")}, patience=20) == {"a": port}


async def test_a_port_that_stays_busy_is_refused_after_the_patience() -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Rejected, match=str(port)):
            await choose_patiently({"a": Wanted(port, "A", "A_PORT")}, patience=0.1)
