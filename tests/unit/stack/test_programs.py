"""Finding the programs, and what they are told."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import Rejected
from stack import jars, java, kafka, packaged, tesseract
from stack.jars import Jar


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16 LTS', 25),
        ('java version "1.8.0_402"', 8),
        ("command not found", None),
    ],
)
def test_the_major_version_is_read_from_what_java_says(said: str, version: int | None) -> None:
    assert java.major_version(said) == version


def test_a_java_on_path_that_is_too_old_gives_way_to_the_packaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "java", """echo 'openjdk version "11.0.1"' >&2""")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert java.find(packaged_only=False).version >= java.OLDEST
    assert java.find(packaged_only=False).path != tmp_path / "java"


def test_a_java_on_path_that_is_new_enough_is_taken_unless_only_packaged_ones_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = script(tmp_path / "java", """echo 'openjdk version "21.0.1"' >&2""")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert java.find(packaged_only=False) == java.Java(installed, 21)
    assert java.find(packaged_only=True).path != installed


def test_an_installed_kafka_is_found_by_its_start_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "bin/kafka-server-start.sh", "")
    (tmp_path / "libs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    (tmp_path / "libs/kafka_2.13-3.9.0.jar").touch()
    assert kafka.installed_libraries() is None  # too old for what we tell it
    (tmp_path / "libs/kafka_2.13-4.1.0.jar").touch()
    assert kafka.installed_libraries() == f"{tmp_path}/libs/*"


def test_an_installed_tesseract_keeps_its_own_language_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = script(tmp_path / "tesseract", "")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert tesseract.find(packaged_only=False) == tesseract.Tesseract(installed, None)


def test_a_program_that_lacks_a_library_is_refused_with_the_loaders_words(tmp_path: Path) -> None:
    broken = script(tmp_path / "mongod", "echo 'error while loading shared libraries: libcurl.so.4' >&2; exit 127")
    with pytest.raises(Rejected, match=r"libcurl\.so\.4") as refused:
        packaged.check_runs(broken, "mongod")
    assert refused.value.code == "program_unusable"


def test_a_package_that_is_not_installed_has_no_files() -> None:
    assert packaged.package_file("no_such_package", "bin/x") is None
    assert packaged.package_file("no_such.package", "bin/x") is None


def test_a_data_folder_with_letters_of_any_alphabet_is_told_to_kafka_in_escapes() -> None:
    properties = kafka.server_properties(Path("/data/Prüfung 書類"), 1, 2)
    assert "log.dirs=/data/Pr\\u00fcfung \\u66f8\\u985e\n" in properties
    assert properties.isascii()


def test_kafka_listens_on_the_loopback_address_only() -> None:
    properties = kafka.server_properties(Path("/data"), 1111, 2222)
    assert "listeners=PLAINTEXT://127.0.0.1:1111,CONTROLLER://127.0.0.1:2222\n" in properties


def test_the_list_of_jars_is_read_with_distinct_file_names() -> None:
    listed = jars.parse(jars.LIST.read_text())
    assert "kafka_2.13-4.3.1.jar" in {jar.filename for jar in listed}
    assert len({jar.filename for jar in listed}) == len(listed) > 40
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in listed)


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Stands for the package registry: every download gives the bytes told last."""

    def serve(content: bytes) -> None:
        def download(_resolver: object, artifact: object) -> Path:
            path: Path = artifact.cached_path  # type: ignore[attr-defined]
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
            return path

        monkeypatch.setattr("jgo.maven.PythonResolver.download", download)

    return serve


def listed_jar(content: bytes) -> Jar:
    return Jar("org.example:thing:1.0", hashlib.sha256(content).hexdigest(), len(content))


def silent(_done: int, _total: int) -> None: ...


def test_a_jar_is_downloaded_once(tmp_path: Path, repository: Callable[[bytes], None]) -> None:
    repository(b"right")
    wanted = [listed_jar(b"right")]
    assert jars.fetch(wanted, tmp_path, silent) == (tmp_path / "thing-1.0.jar",)
    repository(b"would be wrong")
    assert jars.fetch(wanted, tmp_path, silent)[0].read_bytes() == b"right"
    assert [path.name for path in tmp_path.iterdir()] == ["thing-1.0.jar"]


def test_a_jar_that_was_damaged_in_the_cache_is_downloaded_again(
    tmp_path: Path, repository: Callable[[bytes], None]
) -> None:
    (tmp_path / "thing-1.0.jar").write_bytes(b"damaged")
    repository(b"right")
    assert jars.fetch([listed_jar(b"right")], tmp_path, silent)[0].read_bytes() == b"right"


def test_a_download_that_is_not_what_the_list_says_never_reaches_the_cache(
    tmp_path: Path, repository: Callable[[bytes], None]
) -> None:
    repository(b"something else")
    with pytest.raises(Rejected) as refused:
        jars.fetch([listed_jar(b"right")], tmp_path, silent)
    assert refused.value.code == "download_damaged"
    assert list(tmp_path.iterdir()) == []
