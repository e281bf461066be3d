"""Processes that train together, on the loopback address."""

import json
import os
import pathlib
import socket
import subprocess

ROOT = pathlib.Path(__file__).parent.parent


def environments(count):
    """What the environment of each of some workers has: ``TF_CONFIG``, with ports that are free."""
    with_ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{of.getsockname()[1]}" for of in with_ports]
    for of in with_ports:
        of.close()
    tasks = [{"type": "worker", "index": index} for index in range(count)]
    return [
        {"TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task})}
        for task in tasks
    ]


def start(words, output, environment, folder=ROOT / "tests"):
    """Starts a process, and returns it and the file of what it prints."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    with output.open("w") as file:
        process = subprocess.Popen(
            list(map(str, words)), stdout=file, stderr=subprocess.STDOUT, cwd=folder,
            env=environment,
        )  # fmt: skip
    return process, output
