"""Warn a day before the token ends: once for each token, or once in a run if tokens are refreshed."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import trio

from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.contract.errors import RefusedError, UsageError
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.contract.wording import format_duration
from pulsoid_rec.recorder.pulsoid.credentials import Credentials, TokenPair
from pulsoid_rec.recorder.pulsoid.token_check import Validity, check_token

WARN_BEFORE = timedelta(days=1)

log = logging.getLogger(__name__)


class TokenEnd:
    """When the token ends that is in use, by the system's clock, which runs on while the machine sleeps."""

    def __init__(
        self,
        server_url: ServerUrl,
        credentials: Credentials,
        read: Callable[[], Awaitable[TokenPair]],
        timings: Timings,
    ) -> None:
        self.at: datetime | None = None  # None if it is not known
        self.is_refreshed = False  # whether it can be
        self._server_url = server_url
        self._credentials, self._read = credentials, read
        self._timings = timings
        self._token = ""
        self._warned: set[str | bool] = set()  # tokens; True for all that are refreshed

    def note(self, token: str, validity: Validity | None) -> None:
        """Note what the server said of a token."""
        self._token, self.at = token, validity.ends_at if validity else None

    async def watch(self) -> None:
        """Look at the clock until cancelled, and at a token that was replaced; warn in time."""
        while True:
            with suppress(UsageError):  # the rooms report it, at their next connection
                await self._check()
            await trio.sleep(self._timings.token_end_interval_s)

    async def _check(self) -> None:
        pair = await self._read()
        if pair.token != self._token:
            validity = None
            with suppress(RefusedError):  # likewise
                validity = await check_token(self._server_url, pair.token, self._timings)
            self.note(pair.token, validity)
        self.is_refreshed = bool(pair.refresh_tokens)
        what: str | bool = self.is_refreshed or pair.token
        if self.at is None or what in self._warned or (left := self.at - datetime.now(UTC)) > WARN_BEFORE:
            return
        self._warned.add(what)
        end = f"The token in {self._credentials.place} ends {describe_end(self.at, left)}, and {pair.outlook}"
        if pair.refresh_tokens:
            log.info("%s.", end)
        else:
            log.warning("%s. %s", end, self._credentials.how_to_replace)


def describe_end(at: datetime, left: timedelta) -> str:
    """Return when a token ends, in local time, and how long that is from now."""
    return f"on {at.astimezone():%Y-%m-%d at %H:%M}, in {format_duration(max(left.total_seconds(), 0))}"
