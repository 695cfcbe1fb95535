"""The simulator's side of a login: its page, who may answer on it, and what it issues."""

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest
import trio
from simulator_control import ControlledSimulator, open_simulator

from pulsoid_rec.recorder.simulator.faults import Faults
from pulsoid_rec.recorder.simulator.oauth import DeviceFlow
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig
from pulsoid_rec.recorder.simulator.tokens import DEMO_APPLICATION

pytestmark = pytest.mark.process
DEVICE, TOKEN, REVOKE = (f"/oauth2/{name}" for name in ("device_authorization", "token", "revoke"))
CLIENT = {"client_id": DEMO_APPLICATION.client_id}


def _send(url: str, form: dict[str, str] | None, headers: dict[str, str]) -> tuple[int, str]:
    data = None if form is None else urllib.parse.urlencode(form).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def send(url: str, form: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
    return await trio.to_thread.run_sync(_send, url, form, headers)


async def post(server: ControlledSimulator, path: str, **form: str) -> tuple[int, dict[str, Any]]:
    status, text = await send(server.url.replace("ws", "http", 1) + path, form)
    return status, json.loads(text)


async def begin(server: ControlledSimulator) -> dict[str, Any]:
    status, device = await post(server, DEVICE, **CLIENT, scope="data:room:read,profile:read")
    assert status == 200
    return device


async def poll(server: ControlledSimulator, device: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    return await post(server, TOKEN, grant_type=grant, device_code=device["device_code"], **CLIENT)


async def test_without_logins_none_begins_and_none_goes_on() -> None:
    async with open_simulator(SimulatorConfig(device_flow=None)) as server:
        assert await post(server, DEVICE, **CLIENT, scope="data:room:read") == (400, {"error": "unauthorized_client"})
        assert await poll(server, {"device_code": "a-code"}) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(("given", "polled"), [("allow", 200), ("deny", 400)])
async def test_its_page_shows_the_code_and_the_answer_given_there_counts_once(given: str, polled: int) -> None:
    async with open_simulator() as server:
        device = await begin(server)
        assert await poll(server, device) == (400, {"error": "authorization_pending"})
        status, page = await send(device["verification_uri_complete"])
        assert status == 200
        assert device["user_code"] in page
        assert "data:room:read" in page
        own = {"Origin": server.url.replace("ws", "http", 1)}
        form = {"user_code": device["user_code"], "answer": given}
        assert (await send(device["verification_uri"], form, **own))[0] == 200
        status, answer = await poll(server, device)
        assert status == polled
        if given == "deny":
            assert answer == {"error": "access_denied"}
            return
        assert server.server.tokens.issued[answer["access_token"]][0].scopes == ("data:room:read",)
        assert await poll(server, device) == (400, {"error": "invalid_grant"})
        form = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"], **CLIENT}
        status, new = await post(server, TOKEN, **form, client_secret=DEMO_APPLICATION.client_secret)
        assert status == 200
        assert (await post(server, REVOKE, token=new["refresh_token"]))[0] == 200
        assert list(server.server.tokens.issued) == ["demo-token"]


async def test_a_token_of_a_login_expires_as_all_others_do() -> None:
    config = SimulatorConfig(device_flow=DeviceFlow("approve"), faults=Faults(expire=7))
    async with open_simulator(config) as server:
        device = await begin(server)
        assert (await poll(server, device))[0] == 400
        assert (await poll(server, device))[1]["expires_in"] == 7


async def test_no_page_but_its_own_can_answer() -> None:
    async with open_simulator() as server:
        device = await begin(server)
        form = {"user_code": device["user_code"], "answer": "allow"}
        for headers in (
            {"Origin": "https://elsewhere.example"},
            {"Origin": "http://evil.example", "Host": "evil.example"},
        ):
            assert (await send(device["verification_uri"], form, **headers))[0] == 403
        assert (await send(device["verification_uri"], form | {"user_code": "<script>"}))[0] == 404
        assert await poll(server, device) == (400, {"error": "authorization_pending"})


async def test_what_is_wrong_is_refused_as_the_standard_has_it() -> None:
    async with open_simulator(SimulatorConfig(device_flow=DeviceFlow(life_s=0))) as server:
        assert await post(server, DEVICE, client_id="x", scope="s") == (401, {"error": "invalid_client"})
        assert await post(server, DEVICE, **CLIENT) == (400, {"error": "invalid_scope"})
        device = await begin(server)
        assert await poll(server, device) == (400, {"error": "expired_token"})
        assert (await send(device["verification_uri_complete"]))[0] == 404
        assert await poll(server, {"device_code": "x"}) == (400, {"error": "invalid_grant"})
        grant = "urn:ietf:params:oauth:grant-type:device_code"
        assert (await post(server, TOKEN, grant_type=grant, client_id="x"))[1] == {"error": "invalid_client"}
        assert (await send(server.url.replace("ws", "http", 1) + DEVICE))[0] == 405
        assert (await post(server, REVOKE))[0] == 200
        assert list(server.server.tokens.issued) == ["demo-token"]
