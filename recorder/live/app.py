"""The paths of the live page and their answers, as a Starlette application."""

import logging
from collections.abc import Mapping
from contextlib import aclosing
from http import HTTPStatus
from pathlib import Path

import msgspec
import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from pulsoid_rec.recorder.contract.limits import Limits
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.health.watch import Watch
from pulsoid_rec.recorder.live.access import Access, Refusal
from pulsoid_rec.recorder.live.marks import Marking
from pulsoid_rec.recorder.live.metrics import CONTENT_TYPE, Metrics
from pulsoid_rec.recorder.live.viewers import TooManyViewersError, Viewers

_PAGE = Path(__file__).with_name("page")
_INDEX = "live.html"
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_OPEN_TO_ALL = (".css", ".js", ".svg")  # parts of the page, in which nothing is that was recorded
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

log = logging.getLogger(__name__)


class LiveApp:
    """An ASGI application; whatever goes wrong in it ends one request."""

    def __init__(
        self,
        *,
        access: Access,
        viewers: Viewers,
        watch: Watch,
        metrics: Metrics,
        marking: Marking,
        timings: Timings,
        limits: Limits,
    ) -> None:
        self._access = access
        self._viewers = viewers
        self._watch = watch
        self._metrics = metrics
        self._marking = marking
        self._timings = timings
        self._limits = limits
        self._has_failed = False
        self._parts = {path.name: path.read_bytes() for path in _PAGE.iterdir() if path.suffix in _MEDIA_TYPES}
        self._starlette = Starlette(
            routes=[
                Route("/", self._get_page),
                Route("/events", _Events(viewers)),
                Route("/marks", self._post_mark, methods=["POST"]),
                Route("/healthz", self._get_health),
                Route("/metrics", self._get_metrics),
                Route("/{name}", self._get_part),
            ],
            exception_handlers={HTTPException: _answer_http_error},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":  # a WebSocket
            await send({"type": "websocket.close"})
            return
        try:
            answer = self._check(scope)
            await (answer or self._starlette)(scope, receive, _with_headers(send))
        except Exception:  # by now Starlette has answered with 500
            if not self._has_failed:
                log.exception("The live page cannot answer a request. Recording is not affected.")
            self._has_failed = True

    def _check(self, scope: Scope) -> Response | None:
        """Return the answer to a request that does not get as far as the paths."""
        if scope["http_version"] not in {"1.0", "1.1"}:
            return _refuse(Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "Use HTTP/1.1."))
        request = Request(scope)
        if request.url.path.endswith(_OPEN_TO_ALL) and request.method == "GET":
            return None
        refusal = self._access.check(request.headers, request.url.query)
        if refusal is None and request.method not in {"GET", "HEAD"}:
            refusal = self._access.check_change(request.headers)
        return None if refusal is None else _refuse(refusal)

    async def _get_page(self, request: Request) -> Response:
        if (moved := self._access.move_key(request.url.query)) is not None:
            query, cookie = moved
            return RedirectResponse(f"/?{query}" if query else "/", HTTPStatus.SEE_OTHER, {"set-cookie": cookie})
        return self._answer_part(_INDEX)

    async def _get_part(self, request: Request) -> Response:
        return self._answer_part(request.path_params["name"])

    def _answer_part(self, name: str) -> Response:
        if (part := self._parts.get(name)) is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "There is nothing at this address.")
        return Response(part, media_type=_MEDIA_TYPES[Path(name).suffix])

    async def _get_health(self, _request: Request) -> Response:
        health = self._watch.check()
        return _json(health, HTTPStatus.OK if health.ok else HTTPStatus.SERVICE_UNAVAILABLE)

    async def _get_metrics(self, _request: Request) -> Response:
        return Response(self._metrics.render(), headers={"content-type": CONTENT_TYPE})

    async def _post_mark(self, request: Request) -> Response:
        body = b""
        with trio.move_on_after(self._timings.live_request_timeout_s) as waiting:
            more = True
            while more:
                message = await request.receive()
                body, more = body + message.get("body", b""), message.get("more_body", False)
                if len(body) > self._limits.live_request_bytes:
                    return _refuse(Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That is too long for a mark."))
        if waiting.cancelled_caught:
            return _refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive to its end."))
        made = self._marking.mark(body, is_from_page="origin" in request.headers)
        return _refuse(made) if isinstance(made, Refusal) else _json(made, HTTPStatus.CREATED)


class _Events:
    """`/events`: an ASGI application of its own, since an answer without an end is sent as it comes."""

    def __init__(self, viewers: Viewers) -> None:
        self._viewers = viewers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._viewers.follow()) as events, trio.open_nursery() as nursery:
            try:
                event = await anext(events)
            except TooManyViewersError:
                refusal = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many viewers. Close one of them.")
                await _refuse(refusal)(scope, receive, send)
                return
            nursery.start_soon(_cancel_at_disconnect, receive, nursery.cancel_scope)
            headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": event, "more_body": True})
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
            nursery.cancel_scope.cancel()


async def _cancel_at_disconnect(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def _with_headers(send: Send) -> Send:
    """Add the headers of every answer."""
    added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return send_with_headers


def _refuse(refusal: Refusal) -> Response:
    return _json({"error": refusal.why}, refusal.status)


async def _answer_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _refuse(Refusal(HTTPStatus(error.status_code), error.detail))
    response.headers.update(error.headers or {})
    return response


def _json(content: Mapping[str, str] | msgspec.Struct, status: HTTPStatus) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
