"""The port: who asks for what, and what they are answered."""

import itertools
import logging
import re
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from http import HTTPStatus
from random import Random
from urllib.parse import parse_qsl, unquote

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from pulsoid_rec.recorder.simulator.client import CUT, Client
from pulsoid_rec.recorder.simulator.client_stream import ClientStream
from pulsoid_rec.recorder.simulator.faults import Faults
from pulsoid_rec.recorder.simulator.http_request import BadRequestError, Request, Response, answer, read_request
from pulsoid_rec.recorder.simulator.room import Room
from pulsoid_rec.recorder.simulator.tokens import Refusal, Token, Tokens
from pulsoid_rec.recorder.simulator.wire import Kind

HANDSHAKE_TIMEOUT_S = 10.0
LINGER_S = 1.0
_ROOM_PATH = re.compile(r"/api/v2/data/rooms/([^/]+)/real_time")
_VALIDATE_PATH = "/api/v1/token/validate"
_RENEW_PATH = "/oauth2/token"
_NOT_A_MEMBER = Response(HTTPStatus.FORBIDDEN, {"error_message": "not_a_member_of_the_room"})
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError, ConnectionClosed, OSError, ssl.SSLError)

log = logging.getLogger("simulator")  # apart from the recorder's own log


class Server:
    """Answers HTTP, and lets clients into rooms.

    Parameters
    ----------
    rooms
        All there are, by id.
    tokens
        Who may come in.
    faults
        What goes wrong.
    random
        When it goes wrong.
    """

    def __init__(self, rooms: Mapping[str, Room], tokens: Tokens, faults: Faults, random: Random) -> None:
        self.rooms = rooms
        self.tokens = tokens
        self.refuse = faults.refuse
        self.accepted = 0
        self.refused: Counter[int] = Counter()
        self._faults = faults
        self._random = random
        self._numbers = itertools.count(1)

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Serve one connection to its end, whatever the peer does; cancelled or not, the stream is closed."""
        try:
            with trio.move_on_after(HANDSHAKE_TIMEOUT_S):
                found = await self._receive(stream)
            if found is not None:
                request, room, token = found
                await self._attend(ClientStream(stream, request.raw), request, room, token)
        except* _GONE:
            pass  # It left in the middle of something: that is its right.
        finally:
            await trio.aclose_forcefully(stream)

    async def _receive(self, stream: trio.abc.Stream) -> tuple[Request, Room, Token] | None:
        try:
            request = await read_request(stream)
        except BadRequestError as error:
            await _answer_and_linger(stream, Response(error.status, {"error_message": "bad_request"}))
            return None
        if request is None:
            return None
        found = self._decide(request)
        if isinstance(found, Response):
            await _answer_and_linger(stream, found)
            return None
        return request, *found

    def _decide(self, request: Request) -> Response | tuple[Room, Token]:
        now_s = trio.current_time()
        if match := _ROOM_PATH.fullmatch(request.path):
            found = self._admit(unquote(match[1]), request, now_s)
            if isinstance(found, Response) and request.wants_websocket:
                self.refused[found.status] += 1
                log.info("refused a client with %d: %s", found.status, found.content["error_message"])
            return found
        if request.path == _VALIDATE_PATH:
            return _only("GET", request) or self.tokens.validate(request, now_s)
        if request.path == _RENEW_PATH:
            form = dict(parse_qsl(request.body.decode("latin-1")))
            return _only("POST", request) or self.tokens.renew(form, now_s)
        return Response(HTTPStatus.NOT_FOUND, {"error_message": "not_found"})

    def _admit(self, room_id: str, request: Request, now_s: float) -> Response | tuple[Room, Token]:
        if misuse := _only("GET", request) or _only_websocket(request):
            return misuse
        if self.refuse is not None:
            return Response(self.refuse, {"error_message": "refused on request"})
        token = self.tokens.check_upgrade(request, now_s)
        if isinstance(token, Refusal):
            return token.response(HTTPStatus.UNAUTHORIZED)
        room = self.rooms.get(room_id)
        if room is None or token.profile_id not in room.members:
            return _NOT_A_MEMBER
        return room, token

    async def _attend(self, stream: ClientStream, request: Request, room: Room, token: Token) -> None:
        kinds, unknown = parse_kinds(request.query.get("kinds"))
        expires_in_s = self.tokens.expires_in_s(token.access_token, trio.current_time())
        async with trio.open_nursery() as nursery:
            websocket: WebSocketConnection | None = None
            with trio.move_on_after(HANDSHAKE_TIMEOUT_S):
                websocket = await (await wrap_server_stream(nursery, stream)).accept()
            if websocket is not None:
                client = Client(next(self._numbers), token, kinds, stream)
                self.accepted += 1
                room.join(client)
                wanted = "all kinds" if kinds == frozenset(Kind) else ", ".join(sorted(kinds)) or "no kind there is"
                log.info("%s: client %d came for %s", room.room_id, client.number, wanted)
                if unknown:
                    log.warning("%s: client %d asked for unknown kinds", room.room_id, client.number)
                if room.played.is_set():
                    log.info("%s: the play is over, client %d will see silence", room.room_id, client.number)
                nursery.start_soon(self._trouble, client)
                try:
                    reason = await client.run(websocket, expires_in_s)
                    sent = client.sent.total()
                    log.info("%s: client %d went after %d messages: %s", room.room_id, client.number, sent, reason)
                finally:
                    room.leave(client)
            nursery.cancel_scope.cancel()

    async def _trouble(self, client: Client) -> None:
        async with trio.open_nursery() as nursery:
            if self._faults.drop is not None:
                nursery.start_soon(self._after_about, self._faults.drop, lambda: client.end(CUT))
            if self._faults.stall is not None:
                nursery.start_soon(self._after_about, self._faults.stall, client.stall)

    async def _after_about(self, seconds: float, act: Callable[[], None]) -> None:
        await trio.sleep(seconds * self._random.uniform(0.5, 1.5))
        act()


async def _answer_and_linger(stream: trio.abc.Stream, response: Response) -> None:
    # Closed with something unread, TCP is reset, and the client may never see the answer: so let it close first.
    await answer(stream, response)
    with trio.move_on_after(LINGER_S):
        if isinstance(stream, trio.abc.HalfCloseableStream):
            await stream.send_eof()
        while await stream.receive_some():
            pass


def parse_kinds(text: str | None) -> tuple[frozenset[str], frozenset[str]]:
    """Read the parameter `kinds`.

    Pulsoid says only that heart rates alone are the default. Unknown names are left aside, as a server does whose
    list of kinds grows; a client that names unknown kinds only is sent nothing.

    Returns
    -------
    known, unknown
        The kinds subscribed to, and the names that mean nothing.
    """
    names = frozenset(name.strip() for name in (text or Kind.HEART_RATE).split(",") if name.strip())
    known = names & frozenset(Kind)
    return known, names - known


def _only(method: str, request: Request) -> Response | None:
    if request.method == method:
        return None
    return Response(HTTPStatus.METHOD_NOT_ALLOWED, {"error_message": "method_not_allowed"}, (("Allow", method),))


def _only_websocket(request: Request) -> Response | None:
    if not request.wants_websocket:
        content = {"error_message": "this path is for WebSocket connections"}
        return Response(HTTPStatus.UPGRADE_REQUIRED, content, (("Upgrade", "websocket"),))
    if not request.is_sound_handshake:
        return Response(HTTPStatus.BAD_REQUEST, {"error_message": "not a WebSocket handshake of version 13"})
    return None
