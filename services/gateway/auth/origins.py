"""The origins, hosts and proxies from which requests are accepted. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from services.gateway.problems import Problem

# What a proxy adds to a request that it passes on.
_OF_PROXIES: Final = frozenset({"forwarded", "via", "x-real-ip"})
_OF_PROXIES_TOO: Final = "x-forwarded-"


class OriginPolicy:
    """Knows the origins that may call: our own, and those that the operator lists."""

    def __init__(self, origins: Sequence[str], *, trust_network: bool = False) -> None:
        """`trust_network`: the operator has said that something else keeps strangers out."""
        self._origins = frozenset(origins)
        self._trust_network = trust_network
        self._hosts = frozenset(urlsplit(origin).netloc for origin in origins)

    def check_host(self, host: str) -> None:
        """Raise Problem unless `host` (name[:port]) is a name of this machine or of a listed origin."""
        if not is_loopback(host_name(host)) and host not in self._hosts:
            raise Problem("foreign_host", host=host)

    def check_origin(self, origin: str | None, host: str) -> None:
        """Raise Problem for a page of another origin; programs send none."""
        if origin is None or origin in self._origins:
            return
        scheme, _, place = origin.partition("://")
        if scheme not in ("http", "https") or place != host:
            raise Problem("foreign_origin", origin=origin)

    def check_way(self, names: Iterable[str]) -> None:
        """Raise Problem where the names of the headers say that a proxy passes on what others ask.

        It has an address of this machine, so without keys everybody whom it serves could do everything.
        """
        if not self._trust_network and (name := next(passed_on(names), None)):
            raise Problem("behind_proxy", header=name)

    def check(self, headers: Mapping[str, str], *, key_required: bool) -> None:
        """Raise Problem for a foreign origin, host name or proxy.

        Where a key is required, a host name alone opens nothing, so only the origin is checked.
        """
        host = headers.get("host", "")
        if not key_required:
            self.check_host(host)
            self.check_way(headers)
        self.check_origin(headers.get("origin"), host)


def passed_on(names: Iterable[str]) -> Iterator[str]:
    """Those of the headers' names (in lower case) that proxies add."""
    return (name for name in names if name in _OF_PROXIES or name.startswith(_OF_PROXIES_TOO))


def host_name(host: str) -> str:
    """The name in `name[:port]`, empty where there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # brackets that do not close
        return ""


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, without a port) can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
