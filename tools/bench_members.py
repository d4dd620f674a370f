"""The servers that tools/bench starts: processes, and clusters of them on the loopback."""
import json
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from bench_rows import Failed, free_port

ROOT = pathlib.Path(__file__).resolve().parent.parent
READY_TIMEOUT_S = 120
COMMAND_TIMEOUT_S = 60
POLL_S = 0.02
MEMBERS = 3
# Entries or indices that a member may be behind and still count as one that keeps up.
LAG = 100


class Process:
    """A server in a directory of its own."""

    def __init__(self, directory):
        self.directory, self.process, self.log = directory, None, directory / "log"
        directory.mkdir(exist_ok=True)

    def spawn(self, command, settings=None):
        """Starts the process and returns at once. `settings` of its environment are beside what is there."""
        environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env={**environment, **(settings or {})}, cwd=self.directory)

    def wait_until(self, what, condition):
        """Waits for a condition, as long as the process lives."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failed(f"{self.directory.name} ended with {self.process.returncode}: "
                             f"{self.log.read_text()[-1000:]}")
            if condition():
                return
            time.sleep(POLL_S)
        raise Failed(f"{self.directory.name} is not {what} in time")

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class Agent(Process):
    """An agent that is alone, with the bench models."""

    def __init__(self, program, directory, ssh_port=None):
        super().__init__(directory)
        self.program, self.ssh_port = program, ssh_port
        # The path of a socket has room for some 100 bytes: it does not lie beside the data.
        self.sockets = tempfile.TemporaryDirectory(prefix="quorate-bench-")
        self.socket = pathlib.Path(self.sockets.name) / "s"
        self.target = ["--unix", str(self.socket)]

    def write_configuration(self, key):
        public = key.with_suffix(".pub").read_text().strip()
        user = pwd.getpwuid(os.getuid()).pw_name
        (self.directory / "quorate.toml").write_text(
            f'[[users]]\nname = "{user}"\nauthorized-keys = ["{public}"]\n')

    def start(self):
        """Starts the process and returns at once."""
        ssh = f"127.0.0.1:{self.ssh_port}" if self.ssh_port else "off"
        configuration = self.directory / "quorate.toml"
        self.spawn([self.program, "run", *(["--config", configuration] if configuration.exists() else []),
                    "--data-dir", self.directory / "data", "--yang-dir", ROOT / "netconf-tests/yang",
                    "--yang-dir", ROOT / "yang/standard", "--module", "bench-routes", "--module", "bench-rules",
                    "--ssh", ssh, "--unix", self.socket])

    def wait(self):
        """Waits until it listens."""
        def listens():
            with socket.socket(socket.AF_UNIX) as probe:
                return probe.connect_ex(str(self.socket)) == 0
        self.wait_until("listening", listens)

    def memory(self, field):
        """VmRSS or VmHWM in bytes."""
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise Failed(f"no {field}")


class Node(Process):
    """An agent that is a member of a cluster: that of the program, or of a program with participants of its own."""

    def __init__(self, program, directory, name, participant=None):
        super().__init__(directory)
        self.program, self.name, self.address = program, name, f"127.0.0.1:{free_port()}"
        self.runner = [participant] if participant else [program, "run"]
        # The path of a socket has room for some 100 bytes: it does not lie beside the data.
        self.sockets = tempfile.TemporaryDirectory(prefix="quorate-bench-")
        self.socket = pathlib.Path(self.sockets.name) / "s"
        self.target = ["--unix", str(self.socket)]

    def start(self, *join):
        self.spawn([*self.runner, "--data-dir", self.directory / "data", "--yang-dir",
                    ROOT / "netconf-tests/yang", "--yang-dir", ROOT / "yang/standard", "--module", "bench-routes",
                    "--ssh", "off", "--unix", self.socket, "--node-name", self.name, "--peer", self.address, *join])

    def command(self, *words):
        """`quorate cluster` at this member."""
        command = [str(self.program), "cluster", *words, "--socket", str(self.socket)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S)
        if done.returncode != 0:
            raise Failed(f"cluster {words[0]} at {self.name}: {done.stderr.strip()[-500:]}")
        return done.stdout.strip()

    def status(self):
        """What it tells of itself; nothing before it serves."""
        try:
            return json.loads(self.command("status", "--json"))
        except Failed:
            return {}

    def leader(self):
        return self.status().get("leader")

    def is_ready(self):
        status = self.status()
        return status.get("phase") == "ready" and status["in-sync"] and bool(status["leader"])

    def snapshot_bytes(self):
        """The snapshot with which it was brought up to date; None if the log was enough."""
        found = re.findall(r"the snapshot is here .*\bbytes=(\d+)", self.log.read_text())
        return int(found[-1]) if found else None


class Nodes:
    """Our cluster; with a participant on every node, if its program is given."""

    name = "Quorate"

    def __init__(self, program, directory, participant=None):
        self.program, self.directory, self.participant = program, directory, participant
        self.members = []

    def start(self):
        first = self.new()
        first.start()
        first.wait_until("ready", lambda: first.status().get("phase") == "ready")
        first.command("init", "--name", "bench")
        while len(self.members) < MEMBERS:
            self.join()
        self.settle()

    def new(self):
        name = f"{'voter' if self.participant else 'node'}-{len(self.members) + 1}"
        self.members.append(Node(self.program, self.directory / name, name, self.participant))
        return self.members[-1]

    def join(self):
        """One member more."""
        seed = self.leader() if len(self.members) > 1 else self.members[0]
        token = seed.command("token")
        node = self.new()
        node.start("--join", seed.address, "--token", token)
        node.wait_until("ready", node.is_ready)
        return node

    def settle(self):
        """Waits until all are there, vote and keep up."""
        def healthy():
            members = leader.status().get("member", [])
            others = [member for member in members if member["name"] != leader.name]
            return len(others) == len(self.members) - 1 and all(
                member["voting"] and member["active"] and member["progress"] and member["progress"]["lag"] < LAG
                for member in others)
        leader = self.leader()
        for member in self.members:
            member.wait_until("ready", member.is_ready)
        leader.wait_until("the leader of all", healthy)

    def leader(self, but=None):
        return agreed_leader(self.members, but)

    def restart(self, node):
        node.start()
        self.settle()

    def transfer(self):
        self.leader().command("transfer-leadership")

    def policy(self, preset):
        self.leader().command("policy", preset)


class EtcdMember(Process):
    """A member of an etcd cluster."""

    def __init__(self, program, directory, name):
        super().__init__(directory)
        self.program, self.name = program, name
        self.address, self.peer = f"127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
        self.target = ["--etcd", self.address]

    def start(self, cluster):
        url = f"http://{self.address}"
        self.spawn([self.program, "--name", self.name, "--data-dir", self.directory / "data",
                    "--listen-client-urls", url, "--advertise-client-urls", url,
                    "--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer,
                    "--initial-cluster", cluster])

    def ask(self, what, **body):
        """The maintenance service, by etcd's gateway."""
        request = urllib.request.Request(f"http://{self.address}/v3/maintenance/{what}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=COMMAND_TIMEOUT_S) as reply:
            return json.load(reply)

    def status(self):
        try:
            return self.ask("status")
        except OSError:
            return {}

    def leader(self):
        return self.status().get("leader")

    def id(self):
        return self.status().get("header", {}).get("member_id")


class EtcdMembers:
    """etcd's cluster, with its defaults."""

    name = "etcd"

    def __init__(self, program, directory):
        self.members = [EtcdMember(program, directory / f"etcd-{number}", f"etcd-{number}")
                        for number in range(1, MEMBERS + 1)]
        self.cluster = ",".join(f"{member.name}={member.peer}" for member in self.members)
        self.ids = {}

    def start(self):
        for member in self.members:
            member.start(self.cluster)
        self.settle()
        self.ids = {member.id(): member for member in self.members}

    def settle(self):
        def healthy():
            states = [member.status() for member in self.members]
            if not all(state.get("leader", "0") != "0" for state in states):
                return False
            newest = max(int(state["raftIndex"]) for state in states)
            return all(int(state["raftAppliedIndex"]) + LAG > newest for state in states)
        self.members[0].wait_until("healthy", healthy)

    def leader(self, but=None):
        return agreed_leader(self.members, but, self.ids.get)

    def restart(self, member):
        member.start(self.cluster)
        self.settle()

    def transfer(self):
        leader = self.leader()
        other = next(id for id, member in self.ids.items() if member is not leader)
        leader.ask("transfer-leadership", targetID=other)


def agreed_leader(members, but=None, named=None):
    """The member whom all that run call their leader; waits until there is one, and not `but`."""
    named = named or {member.name: member for member in members}.get
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        told = {named(member.leader()) for member in members if member.process and member is not but}
        if len(told) == 1 and not told & {None, but}:
            return told.pop()
        time.sleep(POLL_S)
    raise Failed("no leader in time")
