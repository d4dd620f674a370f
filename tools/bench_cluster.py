"""The cluster's part of tools/bench: three nodes on the loopback beside three members of etcd, in the same run."""
import signal
import statistics
import subprocess
import tempfile
import time

from bench_members import EtcdMembers, Nodes
from bench_peers import program
from bench_rows import Failed, Rows

CLIENTS = (1, 8, 32, 128)
PRESETS = ("synchronous", "majority")
# All systems are measured one after the other, and that some times, so that they meet the same machine.
ROUNDS = 3
KILLS, KILLS_OF_ETCD = 20, 5
TRANSFERS = 5
ENTRIES, ENTRIES_AT_JOIN = 10_000, 100_000
# How long a client waits for the answer to a write before it connects anew: one that knows that a leader may be killed,
# and others. etcd itself gives up after 7 s.
PATIENCE_MS, TIMEOUT_MS = 100, 30_000
# So many kills are for each that is watched by a client that waits.
PATIENT_OF = 4
# Writers run alone for so long before something is done to the cluster, and after it.
BEFORE_S, AFTER_S = 1.0, 1.0
NUMBERS = ("per_s", "p50", "p99", "processor_us_each")


class Trace:
    """Writers at some members, for as long as the `with` lasts. Afterwards `writes` has what they did."""

    def __init__(self, options, members, entries, sessions=1, timeout_ms=TIMEOUT_MS):
        targets = [word for member in members for word in member.target]
        self.command = [str(options.load), "trace", *targets, "--entries", str(entries), "--sessions", str(sessions),
                        "--timeout-ms", str(timeout_ms)]
        self.members, self.writes = members, []

    def __enter__(self):
        self.output = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=self.output)
        time.sleep(BEFORE_S)
        return self

    def __exit__(self, kind, *_):
        self.process.stdin.close()
        # After an outage they go on until it is over.
        if self.process.wait(2e-3 * TIMEOUT_MS + 60) != 0 and kind is None:
            raise Failed("the writers failed")
        self.output.seek(0)
        for line in self.output:
            target, began, ended, done = line.split()
            self.writes.append((self.members[int(target)], float(began), float(ended), done == "1"))

    def done(self, since, until):
        """Writes a second that were acknowledged in this time."""
        return sum(done and since <= ended < until for _, _, ended, done in self.writes) / (until - since)

    def longest_ms(self, since, until):
        """The longest of the writes that were under way in this time, and how many of them failed."""
        met = [write for write in self.writes if write[2] >= since and write[1] <= until]
        return max(1e3 * (ended - began) for _, began, ended, _ in met), sum(not write[3] for write in met)


class ClusterBench(Rows):
    """Replicated commits, failover, transfer and join."""

    def __init__(self, options):
        super().__init__(options)
        quick = options.quick
        self.entries, self.entries_at_join = (1000, 1000) if quick else (ENTRIES, ENTRIES_AT_JOIN)
        self.rounds, self.transfers = (1, 1) if quick else (ROUNDS, TRANSFERS)
        self.kills, self.kills_of_etcd = (2, 1) if quick else (KILLS, KILLS_OF_ETCD)
        self.nodes = Nodes(options.agent, options.work)
        self.voting = Nodes(options.agent, options.work, options.participant)
        self.etcd = None
        self.raw["cluster"] = {"commits": {}, "failover_s": {}, "transfer_ms": {}}

    def run(self):
        """Everything, with clusters of our own."""
        etcd = program("etcd", self.options.work)
        if etcd:
            self.etcd = EtcdMembers(etcd.path, self.options.work)
            self.say(f"{etcd.version()}, defaults, loaded over gRPC, its own protocol, one connection a client")
        else:
            self.say("no etcd: it is neither installed nor to be had as Debian's etcd-server. Its rows are left out, and "
                     "the budgets that it gives")
        systems = [system for system in (self.nodes, self.etcd) if system]
        try:
            for system in systems:
                system.start()
            self.load(self.nodes.leader().target, "fill-running", entries=self.entries)
            self.nodes.settle()
            for place in ("leader", "follower"):
                for clients in CLIENTS:
                    self.attempt(self.entries, f"commits, {clients} clients at the {place}",
                                 lambda: self.commits(place, clients))
            self.attempt(self.entries, "back to the default policy", lambda: self.nodes.policy(PRESETS[0]))
            for system, kills in ((self.etcd, self.kills_of_etcd), (self.nodes, self.kills)):
                if system:
                    self.attempt(self.entries, f"failover, {system.name}", lambda: self.failover(system, kills))
            for system in reversed(systems):
                self.attempt(self.entries, f"transfer, {system.name}", lambda: self.transfer(system))
            # What follows has no like with etcd.
            if self.etcd:
                self.stop(self.etcd)
            self.attempt(self.entries_at_join, "join", self.join)
            self.stop(self.nodes)
            self.attempt(self.entries, "commits with participants", self.votes)
        finally:
            for system in (*systems, self.voting):
                self.stop(system)

    @staticmethod
    def stop(system):
        for member in system.members:
            member.stop(signal.SIGKILL)

    def commits(self, place, clients):
        """Durable writes of one entry, by all systems in turn."""
        def one(system):
            leader = system.leader()
            at = leader if place == "leader" else next(member for member in system.members if member is not leader)
            pids = ",".join(str(member.process.pid) for member in system.members)
            return self.load(at.target, "write", entries=self.entries, sessions=clients, pids=pids,
                             seconds=self.options.seconds)

        measured = {name: [] for name in PRESETS}
        if self.etcd:
            measured["etcd"] = []
        for _ in range(self.rounds):
            if self.etcd:
                measured["etcd"].append(one(self.etcd))
            for preset in PRESETS:
                self.nodes.policy(preset)
                measured[preset].append(one(self.nodes))
        results = {}
        for name, rounds in measured.items():
            results[name] = {number: statistics.median(one[number] for one in rounds) for number in NUMBERS}
            results[name]["errors"] = sum(one["errors"] for one in rounds)
        self.raw["cluster"]["commits"][f"{clients} at the {place}"] = results
        self.commit_rows(place, clients, results, results.get("etcd"))

    def commit_rows(self, place, clients, results, etcd):
        ours = {preset: results[preset] for preset in PRESETS}
        where = f"{clients} client{'s' if clients > 1 else ''} at the {place}"
        if etcd:
            self.row(None, f"etcd: puts, {where}", etcd["per_s"], "1/s", note=cell_note(etcd))
        for preset, numbers in ours.items():
            budget = 1.5 * etcd["per_s"] if etcd and clients == 128 else None
            beside = f"; {numbers['per_s'] / etcd['per_s']:.2f} of etcd" if etcd else ""
            self.row(self.entries, f"commits, {preset}, {where}", numbers["per_s"], "1/s", budget, rate=True,
                     note=cell_note(numbers) + beside)
        if clients == 1:
            if etcd:
                self.row(None, f"etcd: one put, {where}, p50", etcd["p50"], "ms")
            for preset, numbers in ours.items():
                self.row(self.entries, f"one commit, {preset}, {where}, p50", numbers["p50"], "ms",
                         etcd and etcd["p50"])

    def votes(self):
        """Durable writes on which a participant of every node votes in two phases, by the default policy."""
        self.voting.start()
        target = self.voting.leader().target
        self.load(target, "fill-running", entries=self.entries)
        self.voting.settle()
        pids = ",".join(str(member.process.pid) for member in self.voting.members)
        for clients in CLIENTS:
            rounds = [self.load(target, "write", entries=self.entries, sessions=clients, pids=pids,
                                seconds=self.options.seconds) for _ in range(self.rounds)]
            numbers = {number: statistics.median(one[number] for one in rounds) for number in NUMBERS}
            numbers["errors"] = sum(one["errors"] for one in rounds)
            where = f"{clients} at the leader"
            without = self.raw["cluster"]["commits"].get(where)
            self.raw["cluster"]["commits"].setdefault(where, {})["participants"] = numbers
            beside = f"; {numbers['per_s'] / without[PRESETS[0]]['per_s']:.2f} of without" if without else ""
            name = f"commits, a participant on every node, {clients} client{'s' if clients > 1 else ''} at the leader"
            self.row(self.entries, name, numbers["per_s"], "1/s", rate=True, note=cell_note(numbers) + beside)

    def failover(self, system, kills):
        """The gap that the clients of the surviving members see."""
        like = "etcd: " if system is self.etcd else ""
        entries, budget = (None, None) if like else (self.entries, 0.5)
        gaps, stalls = [], []
        for _ in range(kills):
            gaps += self.gaps(system)
        for _ in range(max(1, kills // PATIENT_OF)):
            stalls += self.stalls(system)
        self.raw["cluster"]["failover_s"][system.name] = {"gaps": gaps, "stalls": stalls}
        self.row(entries, like + "leader killed, until the next write, median", statistics.median(gaps), "s", budget,
                 note=f"{kills} kills, two survivors; {min(gaps):.2f} to {max(gaps):.2f} s")
        self.row(entries, like + "leader killed, a client that waits, median", statistics.median(stalls), "s",
                 note=f"{len(stalls) // 2} kills; {min(stalls):.2f} to {max(stalls):.2f} s")

    def kill_leader(self, system, timeout_ms):
        """Kills the leader under writers at the survivors and starts it again. Gives what they did, and the time."""
        leader = system.leader()
        survivors = [member for member in system.members if member is not leader]
        try:
            with Trace(self.options, survivors, self.entries, timeout_ms=timeout_ms) as trace:
                killed = time.monotonic()
                leader.stop(signal.SIGKILL)
                system.leader(but=leader)
                time.sleep(AFTER_S)
        finally:
            if leader.process is None:
                system.restart(leader)
        return trace, killed

    def gaps(self, system):
        """Seconds from the kill to the end of the first write that was begun after it, at each survivor."""
        trace, killed = self.kill_leader(system, PATIENCE_MS)
        gaps = []
        for survivor in trace.members:
            mine = [write for write in trace.writes if write[0] is survivor and write[3]]
            ends = [ended - killed for _, began, ended, _ in mine if began >= killed]
            if not ends or len(ends) == len(mine):
                raise Failed(f"{survivor.directory.name} took no write before or after the leader was killed")
            gaps.append(min(ends))
        return gaps

    def stalls(self, system):
        """The longest time between two writes that are done, at each survivor, if the client does not give up."""
        trace, killed = self.kill_leader(system, TIMEOUT_MS)
        stalls = []
        for survivor in trace.members:
            ends = [ended for member, _, ended, done in trace.writes if member is survivor and done]
            between = [later - earlier for earlier, later in zip(ends, ends[1:]) if later > killed]
            if not between:
                raise Failed(f"{survivor.directory.name} took no write before or after the leader was killed")
            stalls.append(max(between))
        return stalls

    def transfer(self, system):
        """What writers see of a planned change of leader; there is one at each member."""
        like, entries = ("etcd: ", None) if system is self.etcd else ("", self.entries)
        longest, failed = [], 0
        for _ in range(self.transfers):
            before = system.leader()
            with Trace(self.options, system.members, self.entries) as trace:
                began = time.monotonic()
                system.transfer()
                system.leader(but=before)
                ended = time.monotonic()
                time.sleep(AFTER_S)
            worst, failures = trace.longest_ms(began, ended)
            longest.append(worst)
            failed += failures
        self.raw["cluster"]["transfer_ms"][system.name] = [round(one, 1) for one in longest]
        self.row(entries, like + "longest write in a planned transfer, median", statistics.median(longest), "ms",
                 note=f"{self.transfers} transfers, worst {max(longest):.0f} ms, {failed} writes failed")

    def join(self):
        """A fourth member, while eight writers write."""
        leader = self.nodes.leader()
        self.load(leader.target, "fill-running", entries=self.entries_at_join)
        self.nodes.settle()
        with Trace(self.options, [leader], self.entries_at_join, sessions=8) as trace:
            time.sleep(self.options.seconds)
            began = time.monotonic()
            node = self.nodes.join()
            ready = time.monotonic()
            self.nodes.settle()
            voting = time.monotonic()
            time.sleep(AFTER_S)
        before = trace.done(began - self.options.seconds, began)
        during = trace.done(began, ready)
        longest, failed = trace.longest_ms(began, ready)
        snapshot = node.snapshot_bytes()
        received = f"a snapshot of {snapshot / 1e6:.2f} MB" if snapshot else "the log, no snapshot"
        self.raw["cluster"]["join"] = {"ready_s": ready - began, "voting_s": voting - began, "snapshot_bytes": snapshot,
                                       "writes_before_per_s": before, "writes_during_per_s": during,
                                       "longest_write_ms": longest}
        self.row(self.entries_at_join, "join of a fourth node, until it is ready", ready - began, "s",
                 note=f"by {received}; voting and level after {voting - began:.2f} s")
        self.row(self.entries_at_join, "commits, 8 writers, before the join", before, "1/s")
        self.row(self.entries_at_join, "commits, 8 writers, during the join", during, "1/s",
                 note=f"{during / before:.2f} of before; longest write {longest:.0f} ms, {failed} failed")


def cell_note(numbers):
    errors = f", {numbers['errors']:.0f} errors" if numbers["errors"] else ""
    return (f"p50 {numbers['p50']:.2f} ms, p99 {numbers['p99']:.2f} ms, "
            f"{numbers['processor_us_each']:.0f} us of CPU each{errors}")
