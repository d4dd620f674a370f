"""Programs of others, beside which tools/bench measures: those that are installed, or Debian's packages.

Packages are unpacked in a directory and not installed: that would start servers.
"""
import os
import pathlib
import pwd
import shlex
import shutil
import socket
import subprocess
import tempfile

from bench_members import ROOT, Process

UNPACK_TIMEOUT_S = 600
ASK_TIMEOUT_S = 60
PACKAGES = {"etcd": ["etcd-server"], "netconfd": ["netconfd", "libyuma2", "libyuma-base"],
            "yanglint": ["libyang2-tools", "libyang2"]}


class Program:
    """A program, and what it must be run with."""

    def __init__(self, path, place=None):
        self.path, self.environment = pathlib.Path(path), {}
        if place:
            self.environment = {"LD_LIBRARY_PATH": ":".join(map(str, place.glob("usr/lib/*-linux-*"))),
                                "YUMA_INSTALL": str(place / "usr/share/yuma")}

    def run(self, *words, timeout):
        return subprocess.run([str(self.path), *map(str, words)], capture_output=True, text=True, timeout=timeout,
                              env={**os.environ, **self.environment})

    def version(self):
        """What it says of itself; None if it does not run."""
        done = self.run("--version", timeout=ASK_TIMEOUT_S)
        lines = [line for line in done.stdout.splitlines() if line.startswith(self.path.name)]
        return lines[0] if done.returncode == 0 and lines else None


def program(name, directory):
    """The program of this name; None if it is neither installed nor to be had of Debian, or does not run."""
    installed = shutil.which(name)
    found = Program(installed) if installed else unpacked(name, directory)
    return found if found and found.version() else None


def unpacked(name, directory):
    """The program out of Debian's packages, in the directory."""
    if not shutil.which("apt-get"):
        return None
    place = directory / f"{name}-packages"
    place.mkdir()
    packages = " ".join(PACKAGES[name])
    commands = [f"apt-get download -qq {packages} || (apt-get update -qq && apt-get download -qq {packages})",
                "for package in *.deb; do dpkg-deb --extract $package . || exit 1; done"]
    for command in commands:
        done = subprocess.run(command, shell=True, cwd=place, capture_output=True, timeout=UNPACK_TIMEOUT_S)
        if done.returncode != 0:
            return None
    paths = [path for path in place.glob(f"usr/*bin/{name}") if os.access(path, os.X_OK)]
    return Program(paths[0], place) if paths else None


class Yuma123(Process):
    """netconfd with the bench model, and either a candidate or a running that can be written.

    It starts with nothing, and forces nothing to its disk.
    """

    def __init__(self, netconfd, directory, datastore):
        super().__init__(directory)
        self.netconfd, self.datastore = netconfd, datastore
        # The path of a socket has room for some 100 bytes: it does not lie beside the data.
        self.sockets = tempfile.TemporaryDirectory(prefix="quorate-bench-")
        self.socket = pathlib.Path(self.sockets.name) / "s"
        self.user = pwd.getpwuid(os.getuid()).pw_name
        subsystem = netconfd.path.parent / "netconf-subsystem"
        settings = {**netconfd.environment, "USER": self.user, "SSH_CONNECTION": "127.0.0.1 1 127.0.0.1 830"}
        words = [f"{name}={value}" for name, value in settings.items()]
        self.target = ["--exec", shlex.join(["env", *words, str(subsystem), f"--ncxserver-sockname=830@{self.socket}"])]

    def start(self):
        def listens():
            with socket.socket(socket.AF_UNIX) as probe:
                return probe.connect_ex(str(self.socket)) == 0
        self.spawn([self.netconfd.path, "--no-startup", f"--target={self.datastore}", "--access-control=off",
                    f"--superuser={self.user}", "--log-level=error", "--module=bench-routes",
                    f"--modpath={ROOT / 'netconf-tests/yang'}", f"--ncxserver-sockname={self.socket}"],
                   {**self.netconfd.environment, "HOME": str(self.directory)})
        self.wait_until("listening", listens)
