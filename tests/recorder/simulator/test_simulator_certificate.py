"""The certificate of a run: trusted by its file, by nobody else, and gone afterwards."""

import os
import ssl
import tempfile
from pathlib import Path

import pytest
import trio
from room_client import BEARER, open_client, path
from simulator_control import open_simulator

from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.simulator.certificate import make_certificate
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig

pytestmark = pytest.mark.process


async def test_who_trusts_the_file_is_connected_and_nobody_else() -> None:
    with make_certificate() as (context, authority):
        assert list(authority.parent.iterdir()) == [authority]
        assert "PRIVATE KEY" not in authority.read_text(encoding="ascii")
        if os.name == "posix":
            assert authority.parent.stat().st_mode & 0o777 == 0o700
        async with open_simulator(SimulatorConfig(ssl_context=context)) as simulator:
            assert simulator.url.startswith("wss://")
            trusting = ssl.create_default_context(cafile=str(authority))
            async with open_client(simulator.port, path(), BEARER, trusting):
                await simulator.wait_for_clients("demo")
            async with await trio.open_tcp_stream("127.0.0.1", simulator.port) as tcp:
                stream = trio.SSLStream(tcp, ssl.create_default_context(), server_hostname="localhost")
                with pytest.raises(trio.BrokenResourceError):
                    await stream.do_handshake()
    assert not authority.parent.exists()


def test_a_folder_that_cannot_be_written_to_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with (
        pytest.raises(StorageError, match=r"Cannot write the certificate to .*missing: no such file"),
        make_certificate(),
    ):
        pass
