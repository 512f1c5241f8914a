"""The addresses of broker and database: what clients make of them, and what is refused at start."""

import ssl
from pathlib import Path

import pytest
from faststream.kafka.security import parse_security
from pydantic import TypeAdapter

from shared.harness.worker.consumer import security_of
from shared.runtime.addresses import MECHANISMS, Broker, KafkaAddress, MongoAddress, options, parse
from shared.runtime.settings import SharedSettings, read


def test_plain_servers_stay_what_they_are():
    assert options("127.0.0.1:29092") == {"bootstrap_servers": "127.0.0.1:29092", "security_protocol": "PLAINTEXT"}
    assert options("plaintext://a:1,b:2/")["bootstrap_servers"] == "a:1,b:2"


def test_every_part_of_a_protected_address_reaches_the_client():
    address = "sasl_ssl://pag%40es:p%3A%2Fw@a:9093,b:9093?mechanism=scram-sha-512"
    assert parse(address) == Broker("a:9093,b:9093", "sasl_ssl", "pag@es", "p:/w", "SCRAM-SHA-512")
    found = options(address)
    context = found.pop("ssl_context")
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert found == {
        "bootstrap_servers": "a:9093,b:9093",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "pag@es",
        "sasl_plain_password": "p:/w",
    }


@pytest.mark.parametrize(
    "address",
    [
        "a:1",
        "ssl://a:1",
        *(f"sasl_plaintext://u:p@a:1?mechanism={one}" for one in MECHANISMS),
        "sasl_ssl://u:p@a:1?mechanism=PLAIN",
    ],
)
def test_workers_sign_in_as_every_other_client_does(address):
    ours, theirs = options(address), parse_security(security_of(parse(address)))
    assert ours.pop("bootstrap_servers") == "a:1"
    has_tls = [found.pop("ssl_context", None) is not None for found in (ours, theirs)]
    assert has_tls == [parse(address).has_tls] * 2
    assert theirs == ours


def test_without_tls_there_is_no_context():
    assert "ssl_context" not in options("sasl_plaintext://u:p@a:1?mechanism=PLAIN")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("a", "host:port"),
        ("a:1,b", "host:port"),
        ("tls://a:1", "the scheme is one of"),
        ("ssl://a:1?cafile=/x", "`cafile` is unknown"),
        ("sasl_ssl://a:1?mechanism=PLAIN", "takes user:password@"),
        ("sasl_ssl://u:secret@a:1", "takes user:password@"),
        ("sasl_ssl://u:secret@a:1?mechanism=GSSAPI", "PLAIN, SCRAM-SHA-256"),
        ("ssl://u:secret@a:1", "signs nobody in"),
        ("sasl_plaintext://u:secret@a:1?mechanism=PLAIN&ca=/x", "knows no ca"),
        ("ssl://a:1?ca=/nowhere.pem", "No such file"),
    ],
)
def test_a_wrong_address_stops_the_start_without_telling_its_password(monkeypatch, capsys, address, said):
    monkeypatch.setenv("PAGESTREAM_KAFKA", address)
    with pytest.raises(SystemExit):
        read(SharedSettings)
    printed = capsys.readouterr().err
    assert printed.startswith("PAGESTREAM_KAFKA is not allowed")
    assert said in printed
    assert "secret" not in printed


def test_a_ca_file_that_holds_no_certificate_is_refused(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ValueError, match="cannot be used"):
        TypeAdapter(KafkaAddress).validate_python(f"ssl://a:1?ca={tmp_path / 'ca.pem'}")


def test_the_database_is_addressed_as_its_driver_knows_it_and_named_files_are_there(tmp_path: Path):
    check = TypeAdapter(MongoAddress).validate_python
    (tmp_path / "ca.pem").write_text("")
    for good in ("mongodb://a:1/?replicaSet=x", f"mongodb+srv://u:p@a/?tls=true&tlsCAFile={tmp_path / 'ca.pem'}"):
        assert check(good) == good
    with pytest.raises(ValueError, match="tlsCAFile=/nowhere is no file"):
        check("mongodb://a:1/?tls=true&tlsCAFile=/nowhere")
    with pytest.raises(ValueError, match="begins with mongodb://"):
        check("a:27017")
