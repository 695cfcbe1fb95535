"""The server's port: parses requests, answers HTTP, and connects clients to rooms."""

import itertools
import logging
import re
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from random import Random
from urllib.parse import unquote

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from pulsoid_rec.recorder.simulator.client import CUT, Client, ClientLimits
from pulsoid_rec.recorder.simulator.client_stream import ClientStream
from pulsoid_rec.recorder.simulator.control import CONTROL_PATH, control
from pulsoid_rec.recorder.simulator.faults import Faults
from pulsoid_rec.recorder.simulator.http_request import (
    BadRequestError,
    Request,
    Response,
    read_request,
    refuse,
    require_method,
    send_response,
)
from pulsoid_rec.recorder.simulator.oauth import OAuth
from pulsoid_rec.recorder.simulator.room import Room
from pulsoid_rec.recorder.simulator.tokens import Refusal, Token, Tokens
from pulsoid_rec.recorder.simulator.wire import Kind

LINGER_TIMEOUT_S = 1.0
_ROOM_PATH = re.compile(r"/api/v2/data/rooms/([^/]+)/real_time")
_VALIDATE_PATH = "/api/v1/token/validate"
_CORS = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Headers", "authorization, content-type"),
    ("Access-Control-Allow-Methods", "GET, POST"),
    ("Access-Control-Allow-Private-Network", "true"),  # from a page of the internet to this machine
)
_DISCONNECTED = (trio.BrokenResourceError, trio.ClosedResourceError, ConnectionClosed, OSError, ssl.SSLError)

log = logging.getLogger("simulator")  # apart from the recorder's own log


class Server:
    """Answers HTTP, and connects clients to rooms; `random` decides when faults occur."""

    def __init__(
        self,
        rooms: Mapping[str, Room],
        tokens: Tokens,
        faults: Faults,
        random: Random,
        limits: ClientLimits,
        *,
        admits_pages: bool,
        oauth: OAuth,
    ) -> None:
        self.rooms = rooms
        self.tokens = tokens
        self._control_tokens = frozenset(tokens.issued)
        self._oauth = oauth
        self.refuse = faults.refuse
        self.accepted = 0
        self.refused: Counter[int] = Counter()
        self._faults = faults
        self._random = random
        self._limits = limits
        self._admits_pages = admits_pages
        self._numbers = itertools.count(1)

    @property
    def clients(self) -> list[Client]:
        """The connections of all rooms."""
        return [client for room in self.rooms.values() for client in room.clients]

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Serve one connection until it ends, whatever the client does; cancelled or not, the stream is closed."""
        admitted = None
        try:
            with trio.move_on_after(self._limits.handshake_timeout_s):
                admitted = await self._receive(stream)
            if admitted is not None:
                request, room, token = admitted
                await self._serve_client(ClientStream(stream, request.raw), request, room, token)
        except* _DISCONNECTED:
            pass  # A client may leave at any time.
        finally:
            await trio.aclose_forcefully(stream)

    async def _receive(self, stream: trio.abc.Stream) -> tuple[Request, Room, Token] | None:
        """Read a request and answer it; return it if it opens a WebSocket instead."""
        try:
            request = await read_request(stream)
        except BadRequestError as error:
            await self._answer(stream, refuse(error.status, "bad_request"))
            return None
        if request is None:
            return None
        outcome = self._dispatch(request)
        if isinstance(outcome, Response):
            await self._answer(stream, outcome)
            return None
        return request, *outcome

    async def _answer(self, stream: trio.abc.Stream, response: Response) -> None:
        if self._admits_pages:
            response = replace(response, headers=(*response.headers, *_CORS))
        await send_response(stream, response)
        # Closing a socket with unread data resets it, and the client may never see the answer: so it closes first.
        with trio.move_on_after(LINGER_TIMEOUT_S):
            if isinstance(stream, trio.abc.HalfCloseableStream):
                await stream.send_eof()
            while await stream.receive_some():
                pass

    def _dispatch(self, request: Request) -> Response | tuple[Room, Token]:
        now_s = trio.current_time()
        if "origin" in request.headers and not (self._admits_pages or self._oauth.is_own_page(request)):
            # Any page that somebody visits can connect to this machine, and only then does a browser send `Origin`.
            return refuse(HTTPStatus.FORBIDDEN, "pages in a browser are refused without --cors")
        if request.method == "OPTIONS" and self._admits_pages:  # what a browser asks before it sends `Authorization`
            return Response(HTTPStatus.OK, {})
        if match := _ROOM_PATH.fullmatch(request.path):
            outcome = self._admit(unquote(match[1]), request, now_s)
            if isinstance(outcome, Response) and request.wants_websocket:
                self.refused[outcome.status] += 1
                log.info("refused a client with %d: %s", outcome.status, outcome.content["error_message"])
            return outcome
        if request.path == CONTROL_PATH:
            return require_method(request, "POST") or control(request, self.rooms, self._control_tokens)
        if request.path == _VALIDATE_PATH:
            return require_method(request, "GET") or self.tokens.validate(request, now_s)
        return self._oauth.respond(request, now_s) or refuse(HTTPStatus.NOT_FOUND, "not_found")

    def _admit(self, room_id: str, request: Request, now_s: float) -> Response | tuple[Room, Token]:
        if misuse := require_method(request, "GET") or _require_websocket(request):
            return misuse
        if self.refuse is not None:
            return refuse(self.refuse, "refused on request")
        token = self.tokens.check_upgrade(request, now_s)
        if isinstance(token, Refusal):
            return token.response(HTTPStatus.UNAUTHORIZED)
        room = self.rooms.get(room_id)
        if room is None or token.profile_id not in room.members:
            return refuse(HTTPStatus.FORBIDDEN, "not_a_member_of_the_room")
        return room, token

    async def _serve_client(self, stream: ClientStream, request: Request, room: Room, token: Token) -> None:
        kinds, unknown = parse_kinds(request.query.get("kinds"))
        expires_in_s = self.tokens.expires_in_s(token.access_token, trio.current_time())
        async with trio.open_nursery() as nursery:
            websocket: WebSocketConnection | None = None
            with trio.move_on_after(self._limits.handshake_timeout_s):
                websocket = await (await wrap_server_stream(nursery, stream)).accept()
            if websocket is not None:
                client = Client(next(self._numbers), token, kinds, stream, self._limits.capacity)
                self.accepted += 1
                room.join(client)
                subscribed = "all kinds" if kinds == frozenset(Kind) else ", ".join(sorted(kinds)) or "no known kind"
                log.info("%s: client %d connected for %s", room.room_id, client.number, subscribed)
                if unknown:
                    log.warning("%s: client %d requested unknown kinds", room.room_id, client.number)
                if room.played.is_set():
                    log.info("%s: the play is over, client %d will receive nothing", room.room_id, client.number)
                if self._faults.drop is not None:
                    nursery.start_soon(self._call_after_about, self._faults.drop, lambda: client.end(CUT))
                if self._faults.stall is not None:
                    nursery.start_soon(self._call_after_about, self._faults.stall, stream.stall)
                try:
                    reason = await client.run(websocket, expires_in_s)
                    sent = client.sent.total()
                    log.info("%s: client %d closed after %d messages: %s", room.room_id, client.number, sent, reason)
                finally:
                    room.leave(client)
            nursery.cancel_scope.cancel()

    async def _call_after_about(self, seconds: float, function: Callable[[], None]) -> None:
        await trio.sleep(seconds * self._random.uniform(0.5, 1.5))
        function()


def parse_kinds(text: str | None) -> tuple[frozenset[str], frozenset[str]]:
    """Parse the parameter `kinds` into the known kinds subscribed to, and the unknown names.

    Pulsoid documents only the default, which is heart rates. Unknown names are ignored; a client that requests no
    known kind receives nothing.
    """
    names = frozenset(name.strip() for name in (text or Kind.HEART_RATE).split(",") if name.strip())
    known = names & frozenset(Kind)
    return known, names - known


def _require_websocket(request: Request) -> Response | None:
    if not request.wants_websocket:
        upgrade = ("Upgrade", "websocket")
        return refuse(HTTPStatus.UPGRADE_REQUIRED, "this path is for WebSocket connections", upgrade)
    if not request.is_valid_handshake:
        return refuse(HTTPStatus.BAD_REQUEST, "not a WebSocket handshake of version 13")
    return None
