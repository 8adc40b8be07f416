"""Child processes: they start, they are ended by their own id, and their failures say what to do."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.errors import EndpointUnreachableError, KeeperProcessError, LocalNodeError, RpcError, SetupError
from bot.sim.anvil import AnvilOptions, anvil_binary, check_port, end_process, running_anvil
from bot.sim.deployment import run
from bot.sim.process import running_keeper

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.node
def test_a_node_runs_at_the_time_asked_for_and_is_gone_afterwards() -> None:
    with running_anvil(AnvilOptions(timestamp=1_584_043_200)) as anvil:
        block = anvil.rpc.call("eth_getBlockByNumber", "latest", False)
        assert int(block["timestamp"], 16) == 1_584_043_200
        assert is_alive(anvil.pid)
    assert not is_alive(anvil.pid)


@pytest.mark.node
def test_a_node_is_gone_after_an_error_too() -> None:
    pids = []

    def fail() -> None:
        with running_anvil() as anvil:
            pids.append(anvil.pid)
            anvil.rpc.call("no_such_method")

    with pytest.raises(RpcError, match="no_such_method"):
        fail()
    assert not is_alive(pids[0])


@pytest.mark.node
def test_a_node_that_ended_is_reported_as_unreachable() -> None:
    with running_anvil() as anvil:
        os.kill(anvil.pid, signal.SIGKILL)
        os.waitid(os.P_PID, anvil.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(EndpointUnreachableError, match="check that the node runs"):
            anvil.rpc.call("eth_chainId")


@pytest.mark.node
def test_a_batch_answers_in_the_order_asked() -> None:
    with running_anvil() as anvil:
        answers = anvil.rpc.batch([("eth_chainId", []), ("eth_blockNumber", []), ("eth_chainId", [])])
        assert answers == ["0x7a69", "0x0", "0x7a69"]
        assert anvil.rpc.batch([]) == []


def test_a_port_in_use_is_refused_by_number_before_anything_is_started() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(LocalNodeError, match=rf"port {port} .* give another --port"):
            check_port(port)
        with pytest.raises(LocalNodeError, match=str(port)), running_anvil(AnvilOptions(port=port)):
            pass


def test_a_node_that_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    with pytest.raises(LocalNodeError, match="run `make setup`"):
        anvil_binary(tmp_path)


def test_a_node_that_refuses_its_arguments_is_quoted() -> None:
    with (
        pytest.raises(LocalNodeError, match="--no-such-option"),
        running_anvil(AnvilOptions(arguments=("--no-such-option",))),
    ):
        pass


def test_a_child_that_ignores_the_request_to_end_is_killed_with_its_own_children(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    script = f"trap '' TERM; sleep 60 & echo $! > {marker}; wait; sleep 60"
    process = subprocess.Popen(["sh", "-c", script], start_new_session=True)
    while not marker.exists() or not marker.read_text().strip():
        time.sleep(0.01)
    end_process(process, patience_s=0.2)
    deadline = time.monotonic() + 5
    while is_alive(int(marker.read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(int(marker.read_text()))


def test_a_keeper_that_ends_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('line'); raise SystemExit('no such key')"]
    with running_keeper(command, {}, tmp_path / "log") as keeper:
        keeper.process.wait(10)
        with pytest.raises(KeeperProcessError, match=r"ended with status 1(?s:.*)no such key"):
            keeper.check()


def test_a_keeper_is_ended_on_leaving(tmp_path: Path) -> None:
    with running_keeper(SLEEP, {}, tmp_path / "log") as keeper:
        keeper.check()
    assert not is_alive(keeper.process.pid)


def test_a_keeper_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(KeeperProcessError, match="nowhere cannot be run"),
        running_keeper([str(tmp_path / "nowhere")], {}, tmp_path / "log"),
    ):
        pass


def test_a_deploy_script_that_fails_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"ended with status 3:\nout of gas"):
        run(["sh", "-c", "echo out of gas; exit 3"], tmp_path / "log")


def test_a_deploy_script_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="run `make setup`"):
        run([str(tmp_path / "nowhere")], tmp_path / "log")
