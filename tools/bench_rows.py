"""What tools/bench and its parts share: the load generator is run, and what comes of it is a row of a table."""
import json
import os
import socket
import subprocess

TASK_TIMEOUT_S = 600
# More than this is no disk with a cache that survives, or is time spent waiting for a processor.
FDATASYNC_PLAUSIBLE_MS = 2


class Failed(Exception):
    """A measurement that could not be made."""


class Rows:
    """The rows, and what makes them."""

    def __init__(self, options):
        self.options = options
        self.rows, self.raw = [], {}
        self.fdatasync_ms, self.busy = None, ""
        # So many changes were made: the next ones are to differ.
        self.changes = 0

    def load(self, target, task, patience_s=TASK_TIMEOUT_S, **settings):
        """Runs the load generator for one task."""
        command = [str(self.options.load), *target, task]
        for name, value in settings.items():
            command += [f"--{name}", str(value)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=patience_s, cwd=self.options.work)
        except subprocess.TimeoutExpired:
            raise Failed(f"{task} took more than {patience_s} s") from None
        if done.returncode != 0:
            raise Failed(f"{task}: {done.stderr.strip()[-500:]}")
        return json.loads(done.stdout)

    def row(self, entries, name, measured, unit, budget=None, rate=False, note=""):
        """One line of the table. A rate is good above its budget, everything else below."""
        ratio = None
        if budget and measured:
            ratio = budget / measured if rate else measured / budget
        self.rows.append({"entries": entries, "what": name, "measured": round(measured, 3), "unit": unit,
                          "budget": budget and round(budget, 3), "ratio": ratio and round(ratio, 2), "note": note})
        if not self.options.quiet:
            print_row(self.rows[-1])

    def attempt(self, entries, name, measure):
        """Makes one measurement; what fails is a row that says so."""
        try:
            measure()
        except (Failed, OSError, ValueError, subprocess.SubprocessError) as error:
            self.failed(entries, name, error)

    def failed(self, entries, name, error):
        """A row of what could not be measured: the exit status tells of it."""
        self.rows.append({"entries": entries, "what": name, "measured": None, "unit": "", "budget": None,
                          "ratio": None, "note": f"FAILED: {error}"})
        print_row(self.rows[-1])

    def allowed_ms(self, more_ms=0.0):
        """What a durable write may take: 0.2 ms and `more_ms` beside the disk. None if the disk's part is not known."""
        return 2 * self.fdatasync_ms + 0.2 + more_ms if self.fdatasync_ms else None

    def say(self, line):
        if not self.options.quiet:
            print(line, flush=True)

    def floor(self):
        """What the machine does, in the directory that the agent writes to."""
        numbers = self.load([], "floor", reps=500)
        self.raw["floor"] = numbers
        self.set_fdatasync(numbers["fdatasync_p50"])
        self.row(None, "floor: fdatasync of 512 bytes, p50", numbers["fdatasync_p50"], "ms", note=self.busy)
        self.row(None, "floor: round trip of a local socket, p50", numbers["round_trip_p50"], "ms")
        self.row(None, "floor: one way through a local socket", numbers["socket_mb_per_s"], "MB/s")
        self.row(None, "floor: memcpy", numbers["memcpy_mb_per_s"], "MB/s")

    def set_fdatasync(self, p50_ms):
        """Takes the floor of the writes, unless others use the processors.

        A process that waits for the disk alone then waits for a tick of the scheduler too: some milliseconds, which
        would be a budget that anything keeps.
        """
        if os.getloadavg()[0] > (os.cpu_count() or 1) + 1 or p50_ms > FDATASYNC_PLAUSIBLE_MS:
            self.busy = f"machine busy (load {os.getloadavg()[0]:.1f}) or disk slow: no budget for writes"
            self.fdatasync_ms = None
        else:
            self.busy, self.fdatasync_ms = "", p50_ms


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def print_header():
    print(f"{'entries':>8}  {'what':<58} {'measured':>11} {'unit':<5} {'budget':>9} {'ratio':>6}  note")


def print_row(row):
    def number(value):
        return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    print(f"{row['entries'] or '':>8}  {row['what']:<58} {number(row['measured']):>11} {row['unit']:<5} "
          f"{number(row['budget']):>9} {row['ratio'] if row['ratio'] is not None else '':>6}  {row['note']}",
          flush=True)
