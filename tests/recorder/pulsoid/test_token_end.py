"""A recorder warns once, a day before the token ends."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hostile_server import Visit, answer, open_hostile_server
from recording_run import FAST, make_recorder, running, until
from simulator_control import ControlledSimulator, open_simulator

from pulsoid_rec.recorder.connection.server_url import parse_server_url
from pulsoid_rec.recorder.pulsoid.token_check import check_token
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DAY_S, Token

pytestmark = pytest.mark.process
QUICK = replace(FAST, token_end_interval_s=0.01)


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pulsoid_rec.recorder")


@asynccontextmanager
async def recorded(
    folder: Path, *tokens: Token, refresh_token: str | None = None
) -> AsyncIterator[tuple[ControlledSimulator, Path]]:
    """Record with the first of these tokens, in a file."""
    file = folder / "token.json"
    async with open_simulator(SimulatorConfig(tokens=tokens)) as server:
        fields = {"access_token": tokens[0].access_token, "refresh_token": refresh_token, "server": server.url}
        file.write_text(json.dumps(fields))
        async with running(make_recorder(server.url, folder / "a.duckdb", token_file=file, timings=QUICK)) as recorder:
            await until(lambda: server.accepted == 1)
            await until(lambda: recorder.refresh.end.at is not None)
            yield server, file


async def test_it_warns_once_and_again_for_a_token_put_in_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = (Token("token-one", life_s=DAY_S - 60), Token("token-two", life_s=DAY_S / 2))
    async with recorded(tmp_path, *tokens) as (server, file):
        await until(lambda: "ends on" in caplog.text)
        assert f"The token in {file} ends on" in caplog.text
        assert "in 23 h 5" in caplog.text
        assert "cannot be refreshed. Log in again, or write a new one there" in caplog.text
        file.write_text(json.dumps({"access_token": "token-two", "server": server.url}))
        await until(lambda: "in 11 h 59 min" in caplog.text or "in 12 h" in caplog.text)
    assert caplog.text.count("ends on") == 2


async def test_a_token_that_is_refreshed_is_mentioned_and_one_with_days_left_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSOID_CLIENT_SECRET", "a-secret-that-is-set")
    async with recorded(tmp_path, Token("token-one", life_s=DAY_S / 2), refresh_token="refresh-one"):
        await until(lambda: "ends on" in caplog.text)
        assert "and is refreshed then." in caplog.text
    (tmp_path / "later").mkdir()
    caplog.clear()
    async with recorded(tmp_path / "later", Token("token-one", life_s=1.1 * DAY_S)):
        pass
    assert "ends on" not in caplog.text


@pytest.mark.parametrize("says", ["null", '"soon"', "[]", "1e999", "1e30", "-1e30", "-6e10", "2e11"])
async def test_an_end_that_is_no_number_of_seconds_is_not_known(says: str) -> None:
    body = f'{{"scopes": ["data:room:read"], "expires_in": {says}, "profile_id": 7}}'.encode()

    async def act(visit: Visit) -> None: ...

    async with open_hostile_server(act, validate=answer(200, body)) as server:
        validity = await check_token(parse_server_url(server.url), "token-0123")
        # JSON has no infinity: that answer is unclear as a whole
        assert validity is None or (validity.ends_at, validity.profile_id) == (None, None)
