"""Every refusal: a stable code, a sentence, what to do about it, and its HTTP status (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from shared.error_catalog import CATALOG, describe

Body = dict[str, Any]

# Codes of shared.errors that an HTTP answer may carry -> status
_SHARED: Final[Mapping[str, int]] = {
    "empty_file": 400,
    "no_image": 404,
    "source_missing": 404,
    "result_missing": 409,
    "result_unusable": 409,
    "too_large": 413,
    "unsupported_type": 415,
    "log_unavailable": 503,
    "store_unavailable": 503,
    "store_full": 507,
}
# The gateway's own: code -> (status, what happened, what the caller can do)
OWN: Final[Mapping[str, tuple[int, str, str]]] = {
    "bad_request": (400, "{detail}.", "Correct the request; /docs lists what each call takes."),
    "bad_multipart": (
        400,
        "The form data cannot be read: {detail}.",
        "Send one part named `file`, or the bytes themselves with ?filename=.",
    ),
    "bad_frame": (400, "The frame cannot be read: {detail}.", "Send the frames of pagestream.v1 only."),
    "sign_in": (
        401,
        "Pagestream asks for a key, and none that is valid was sent.",
        "Send `Authorization: Bearer KEY`; your operator makes keys with `pagestream keys add`.",
    ),
    "key_in_address": (
        401,
        "A key never travels in an address: addresses end up in histories and logs.",
        "Send it as `Authorization: Bearer KEY`, or use a token from POST /v1/tokens.",
    ),
    "not_allowed": (
        403,
        "This token does not give the right to do this.",
        "Ask whoever gave it to you for another, or use a key.",
    ),
    "foreign_origin": (
        403,
        "Pages of {origin} may not call this Pagestream.",
        "Open Pagestream's own page, or ask your operator to add the origin to PAGESTREAM_ORIGINS.",
    ),
    "foreign_host": (
        403,
        "Pagestream does not answer under the name {host}.",
        "Call it as localhost or by the address it listens on.",
    ),
    "behind_proxy": (
        403,
        "The request came through a proxy (it has the header {header}), and without keys everybody behind it could do "
        "everything.",
        "Make a key with `pagestream keys add`, or say that the proxy keeps strangers out: "
        "PAGESTREAM_GATEWAY_TRUST_NETWORK=true.",
    ),
    "not_found": (404, "There is nothing at {path}.", "See /docs for what there is."),
    "document.not_found": (404, "There is no such document.", "Check the id; GET /v1/documents lists yours."),
    "job.not_found": (404, "There is no such job.", "Check the id; GET /v1/jobs lists yours."),
    "token.not_found": (404, "There is no such token.", "It has expired or was revoked: nothing needs to be done."),
    "page.not_found": (404, "The document has {total} pages, no page {page}.", "Ask for a page from 1 to {total}."),
    "version.not_found": (
        404,
        "The document had no version {version} or older.",
        "The timeline lists its versions: GET /v1/documents/ID/timeline.",
    ),
    "feed.not_found": (
        404,
        "There is no feed named {feed}.",
        "Subscribe to the feed `documents`, or to `batch` with the name of one.",
    ),
    "head_too_large": (431, "Address and headers are larger than {limit}.", "Send less in them."),
    "head_too_late": (408, "No request came within {seconds} seconds.", "Send the whole request at once."),
    "body_too_late": (
        408,
        "The body of the request did not come within {seconds} seconds.",
        "Send the whole request at once.",
    ),
    "body_too_large": (
        413,
        "This call takes no more than {limit} bytes.",
        "Files are uploaded with POST /v1/documents.",
    ),
    "method_not_allowed": (405, "{method} is not possible here.", "See /docs for what is."),
    "not_acceptable": (
        406,
        "This address is live: it speaks WebSocket or server-sent events.",
        "Open a WebSocket, or send `Accept: text/event-stream`.",
    ),
    "not_ready": (
        409,
        "The {what} is not there yet; the document is {document_status}.",
        "Wait for it: watch the document, or ask with ?wait=.",
    ),
    "page_failed": (409, "Page {page} could not be read.", "Retry the document: only what is missing is done again."),
    "image_failed": (409, "Page {page} cannot be shown: {reason}.", "Look at the uploaded file itself: GET …/file."),
    "wrong_state": (409, "A document that is {document_status} cannot be {asked}.", "{hint}."),
    "job_ended": (
        409,
        "The job is {job_status} and takes no more reports.",
        "Start another job with POST /v1/jobs for whatever follows.",
    ),
    "upload.not_found": (404, "There is no such upload.", "Begin a new one with POST /v1/uploads."),
    "upload.wrong_offset": (
        409,
        "The upload continues at byte {offset}.",
        "Ask with HEAD where it continues, and send the bytes from there on.",
    ),
    "upload.expired": (410, "The upload has not moved for too long.", "Begin a new one with POST /v1/uploads."),
    "upload.wrong_version": (
        412,
        "Resumable uploads speak tus {version}.",
        "Send the header `Tus-Resumable: {version}` with every request.",
    ),
    "upload.too_long": (
        413,
        "These are more bytes than the upload was announced with.",
        "Send no more than Upload-Length, or begin a new upload.",
    ),
    "upload.wrong_content_type": (
        415,
        "A part of an upload must come as {allowed}.",
        "Send it with `Content-Type: {allowed}`.",
    ),
    "upload.locked": (423, "The upload is being put together.", "Ask again in a few seconds."),
    "upload.wrong_checksum": (
        460,  # of the tus protocol
        "The bytes are not those that the checksum was made of; none of them were kept.",
        "Send them again.",
    ),
    "idempotency_key_reused": (
        422,
        "This Idempotency-Key was used for something else.",
        "Use a new key for each request; repeat a key only to repeat the same request.",
    ),
    "upload.too_slow": (
        408,
        "The upload came with fewer than {limit} bytes a second for half a minute.",
        "Send it again over a better connection; POST /v1/uploads keeps what has arrived.",
    ),
    "upload.took_too_long": (
        408,
        "The upload took longer than {limit} seconds.",
        "Send it with POST /v1/uploads, in several requests: what has arrived is kept.",
    ),
    "too_many_requests": (
        429,
        "One key or address may send {limit} requests a second.",
        "Wait for a second; one WebSocket tells of every change without asking.",
    ),
    "search_unavailable": (
        503,
        "The search is not available at the moment.",
        "Try again in a few seconds; everything else goes on.",
    ),
    "too_many_at_once": (
        429,
        "All {limit} places for this that a tenant may have at once are taken.",
        "Ask again in a few seconds.",
    ),
    "too_many_uploads": (
        429,
        "All {limit} places for uploads that a tenant may have at once are taken.",
        "Try again in a few seconds.",
    ),
    "too_many_connections": (
        429,
        "One key or address may have {limit} live connections.",
        "Close those you do not need; one WebSocket carries many subscriptions.",
    ),
    "too_many_uploads_at_once": (
        429,
        "One key or address may send {limit} documents at once.",
        "Send them one after the other.",
    ),
    "too_many_upload_bytes": (
        429,
        "One key or address may send {limit} bytes at once.",
        "Send the documents one after the other.",
    ),
    "too_many_subscriptions_in_all": (
        429,
        "One key or address may have {limit} subscriptions.",
        "Unsubscribe from what is done, or subscribe to the feed `documents`.",
    ),
    "quota_exceeded": (
        429,
        "The quota `{quota}` of {limit} is used up: {left} left.",
        "Wait until it resets, let documents end or delete some; or ask your operator for more.",
    ),
    "too_many_subscriptions": (
        429,
        "One connection carries at most {limit} subscriptions.",
        "Unsubscribe from what is done, or subscribe to the feed `documents`.",
    ),
    "internal": (
        500,
        "Something went wrong on our side; the log line is {reference}.",
        "Retry; if it happens again, give your operator that reference.",
    ),
    "too_many_images": (503, "Many pages are being drawn already.", "Ask again in a few seconds."),
    "broker_unavailable": (
        503,
        "The event log does not answer, so it is not certain that this was recorded.",
        "Send the same request again: it is recorded once.",
    ),
    "database_unavailable": (503, "The database does not answer.", "Try again in a few seconds."),
    "projection_unavailable": (503, "The overview is being built anew.", "Try again in a few seconds."),
}


class Problem(Exception):
    """A refusal with its facts; `retry_after` in seconds goes into the header of that name."""

    def __init__(self, code: str, *, retry_after: int | None = None, **facts: Any) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts = facts
        self.status, self.sentence, self.action = _words(code, facts)
        self.headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
        if self.status == HTTPStatus.UNAUTHORIZED:
            self.headers["WWW-Authenticate"] = "Bearer"

    def body(self) -> Body:
        """The problem document. The facts are its extension members."""
        return {
            **self.facts,
            "type": f"urn:pagestream:problem:{self.code}",
            "title": _title(self.status),
            "status": self.status,
            "detail": self.sentence,
            "code": self.code,
            "action": self.action,
        }

    def error(self) -> Body:
        """The `error` of an error frame."""
        return {**self.facts, "code": self.code, "message": self.sentence, "action": self.action}


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Checksum Mismatch"  # 460, which only tus knows


def _words(code: str, facts: Mapping[str, Any]) -> tuple[int, str, str]:
    if code in OWN:
        status, sentence, action = OWN[code]
        return status, sentence.format_map(facts), action.format_map(facts)
    if code in CATALOG:
        return _SHARED[code], *describe(code, facts)
    raise KeyError(code)
