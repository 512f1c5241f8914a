"""How broker and database are reached: one address each, checked at start, and what every Kafka client makes of it.

    127.0.0.1:29092                                                                  nothing protects it
    ssl://a:9093,b:9093?ca=/etc/kafka/ca.pem                                         TLS; without `ca` the system's
    sasl_ssl://user:password@a:9093,b:9093?mechanism=SCRAM-SHA-512&ca=/etc/kafka/ca.pem
    sasl_plaintext://user:password@a:9092?mechanism=PLAIN

The scheme is Kafka's security protocol. User and password are percent-encoded, as in the address of the database.
"""

import ssl
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote

from pydantic import AfterValidator

MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_PROTOCOLS: Final = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
_SETTINGS: Final = {"mechanism", "ca"}


class Broker(NamedTuple):
    """An address taken apart. `servers` is host:port[,host:port]; what does not apply is empty."""

    servers: str
    protocol: str = "plaintext"
    user: str = ""
    password: str = ""
    mechanism: str = ""
    ca: str = ""

    @property
    def has_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.protocol.endswith("ssl")

    @property
    def has_sasl(self) -> bool:
        """Whether clients sign in."""
        return self.protocol.startswith("sasl")


def parse(address: str) -> Broker:
    """The address taken apart. Raises ValueError with what is wrong, never with what is secret."""
    scheme, found, rest = address.partition("://")
    protocol, rest = (scheme.lower(), rest) if found else ("plaintext", address)
    place, _, query = rest.partition("?")
    login, _, servers = place.rpartition("@")
    user, _, password = login.partition(":")
    given = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    broker = Broker(
        servers=servers.rstrip("/"),
        protocol=protocol,
        user=unquote(user),
        password=unquote(password),
        mechanism=given.get("mechanism", "").upper(),
        ca=given.get("ca", ""),
    )
    _check(broker, set(given))
    return broker


def _check(broker: Broker, given: set[str]) -> None:
    if broker.protocol not in _PROTOCOLS:
        raise ValueError(f"the scheme is one of {', '.join(_PROTOCOLS)}, and none means plaintext")
    if unknown := given - _SETTINGS:
        raise ValueError(f"`{min(unknown)}` is unknown; after ? come mechanism and ca")
    for server in broker.servers.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError("the servers are written host:port[,host:port]")
    if broker.has_sasl and not (broker.user and broker.password and broker.mechanism in MECHANISMS):
        raise ValueError(f"{broker.protocol} takes user:password@ and ?mechanism= with one of {', '.join(MECHANISMS)}")
    if not broker.has_sasl and (broker.user or broker.password or broker.mechanism):
        raise ValueError(f"{broker.protocol} signs nobody in; write sasl_ssl:// or sasl_plaintext://")
    if broker.ca and not broker.has_tls:
        raise ValueError(f"{broker.protocol} knows no ca; write ssl:// or sasl_ssl://")


def options(address: str) -> dict[str, Any]:
    """The keyword arguments of aiokafka's clients that say where the broker is and how it is reached."""
    broker = parse(address)
    found: dict[str, Any] = {"bootstrap_servers": broker.servers, "security_protocol": broker.protocol.upper()}
    if broker.has_tls:
        found["ssl_context"] = tls(broker)
    if broker.has_sasl:
        found["sasl_mechanism"] = broker.mechanism
        found["sasl_plain_username"], found["sasl_plain_password"] = broker.user, broker.password
    return found


def tls(broker: Broker) -> ssl.SSLContext | None:
    """What to trust, None for a broker without TLS. Raises OSError for a `ca` that cannot be read."""
    return ssl.create_default_context(cafile=broker.ca or None) if broker.has_tls else None


def mongo_has_tls(uri: str) -> bool:
    """Whether connections to the database are encrypted, as the driver reads its address."""
    said = {name.lower(): values[-1].lower() for name, values in parse_qs(uri.partition("?")[2]).items()}
    return said.get("tls", said.get("ssl", "true" if uri.startswith("mongodb+srv:") else "")) == "true"


def _checked(address: str) -> str:
    broker = parse(address)
    try:
        tls(broker)
    except OSError as error:
        raise ValueError(f"ca={broker.ca} cannot be used: {error.strerror or error}") from None
    return address


def _checked_uri(uri: str) -> str:
    if not uri.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("it begins with mongodb:// or mongodb+srv://")
    for name, values in parse_qs(uri.partition("?")[2]).items():
        if name.lower() in ("tlscafile", "tlscertificatekeyfile") and not Path(values[-1]).is_file():
            raise ValueError(f"{name}={values[-1]} is no file")
    return uri


KafkaAddress = Annotated[str, AfterValidator(_checked)]
MongoAddress = Annotated[str, AfterValidator(_checked_uri)]  # TLS as the driver knows it: ?tls=true&tlsCAFile=…
