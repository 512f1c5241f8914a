"""The answers of the whole system have the shapes that OpenAPI names, and clients that are made from it are typed."""

import importlib
import json
import subprocess
import sys
import typing
import uuid
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from cli import samples
from services.gateway.api import schemas
from shared import results
from tests.support import pdfs
from tests.support.openapi import answers_of, operations_of
from tests.support.running_system import RunningSystem
from tests.support.shapes import assert_shape

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
async def openapi(system: RunningSystem) -> dict[str, Any]:
    document: dict[str, Any] = (await system.call("GET", "/openapi.json")).json()
    return document


@pytest.fixture
async def document_id(system: RunningSystem, tmp_path: Path) -> str:
    """An invoice that is completed."""
    invoice = next(path for path in samples.make(tmp_path) if path.name == "invoice.pdf")
    document_id = await system.upload(invoice.read_bytes(), invoice.name)
    await system.until(document_id, {"completed"})
    return document_id


async def test_every_answer_has_the_shape_that_openapi_names(
    system: RunningSystem, openapi: dict[str, Any], document_id: str
) -> None:
    operations = operations_of(openapi)
    named = {(operation, status): schema for operation, status, schema in answers_of(operations)}
    seen = set()

    async def ask(operation: str, /, *, shown: int = 200, **more: Any) -> Any:
        method, path, _ = operations[operation]
        names = {name: more.pop(name) for name in ("document_id", "job_id", "page", "version") if name in more}
        answer = await system.call(method, path.format(**names), **more)
        assert answer.status_code == shown, answer.text
        schema = named[operation, str(shown)]
        assert_shape(getattr(schemas, schema, None) or getattr(results, schema), answer.json())
        seen.add((operation, str(shown)))
        return answer.json()

    # Documents: a completed one, one that failed, and one that is cancelled, retried and deleted.
    data = pdfs.broken(uuid.uuid4().hex)
    failed = await ask("documents_upload", shown=202, content=data, params={"filename": "a.pdf", "tag": ["x", "y"]})
    await system.until(failed["document_id"], {"failed"})
    await ask("documents_upload", content=data, params={"filename": "a.pdf"})
    assert (await ask("documents_view", document_id=failed["document_id"]))["error"]
    await ask("documents_view", document_id=document_id)
    await ask("documents_list_documents")
    await ask("control_retry", document_id=failed["document_id"], shown=202)
    await ask("control_cancel", document_id=await system.upload(pdfs.scan(9)), shown=202)
    await ask("control_delete", document_id=failed["document_id"], shown=202)

    assert (await ask("results_list_pages", document_id=document_id))["pages"]
    assert (await ask("results_page_of", document_id=document_id, page=1))["words"]
    await ask("results_text", document_id=document_id)
    assert (await ask("results_chunks", document_id=document_id))["chunks"]
    assert (await ask("results_extraction", document_id=document_id))["findings"]
    assert (await ask("search_search", params={"q": "invoice"}))["results"]
    (event, *_) = (await ask("results_timeline", document_id=document_id))["events"]
    await ask("results_as_it_was", document_id=document_id, version=event["version"])

    # Jobs: one that is done, and one that failed.
    done, lost = [(await ask("jobs_start", shown=201, json={"title": title}))["job_id"] for title in ("a", "b")]
    await system.until_job(done, status="running")
    await system.until_job(lost, status="running")
    await ask("jobs_progress", shown=202, job_id=done, json={"percent": 50.0, "message": "half"})
    await ask("jobs_complete", shown=202, job_id=done)
    await ask("jobs_fail", shown=202, job_id=lost, json={"message": "The disk is full.", "action": "Make room."})
    await system.until_job(lost, status="failed")
    assert (await ask("jobs_view", job_id=lost))["error"]
    await ask("jobs_list_jobs")

    # Rights, and how the system is.
    await ask("tokens_create", shown=201, json={"document_id": document_id})
    await ask("tokens_tokens")
    await ask("tokens_current")
    await ask("health_alive")
    await ask("health_ready")
    assert (await ask("system_system"))["workers"]

    assert "" not in named.values(), "an answer without a name is `object` in every client"
    assert seen == set(named), "an answer that no line above asks for"


@pytest.fixture
def client(tmp_path: Path, openapi: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A client as `openapi-python-client` makes it of our OpenAPI document."""
    (tmp_path / "openapi.json").write_text(json.dumps(openapi))
    config = {"post_hooks": [], "content_type_overrides": {"image/jpeg": "application/octet-stream"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    generate = [str(Path(sys.executable).with_name("openapi-python-client")), "generate", "--meta", "none"]
    where = ["--path", "openapi.json", "--config", "config.json", "--output-path", "pagestream_client"]
    subprocess.run([*generate, *where, "--fail-on-warning"], cwd=tmp_path, check=True, timeout=60)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("pagestream_client")


async def test_a_generated_client_knows_every_answer_and_reads_a_document(
    system: RunningSystem, client: ModuleType, openapi: dict[str, Any], document_id: str
) -> None:
    models = importlib.import_module("pagestream_client.models")

    operations = operations_of(openapi)

    def call(operation: str) -> Any:
        (tag,) = operations[operation].described["tags"]
        return importlib.import_module(f"pagestream_client.api.{tag.replace(' ', '_')}.{operation}")

    for operation, _, schema in answers_of(operations):
        hints = typing.get_type_hints(call(operation).asyncio, {**vars(models), **vars(call(operation))})
        assert getattr(models, schema) in typing.get_args(hints["return"]), f"{operation} is typed as {hints['return']}"

    async with client.Client(base_url=system.url, httpx_args={"trust_env": False}) as http:
        view = await call("documents_view").asyncio(document_id, client=http)
        assert isinstance(view, models.DocumentView)
        assert (view.document_id, view.status, view.percent) == (document_id, "completed", 100.0)
        assert view.stages["ocr"].message.text
        extraction = await call("results_extraction").asyncio(document_id, client=http)
        assert isinstance(extraction, models.Extraction)
        assert all(isinstance(finding, models.Finding) for finding in extraction.findings)
        refused = await call("documents_view").asyncio("no-such-document", client=http)
        assert isinstance(refused, models.Problem)
        assert refused.code == "document.not_found"
        assert httpx.codes(refused.status) == httpx.codes.NOT_FOUND
