"""The growth part of tools/bench: what one-entry writes take as the lists grow."""
import statistics
from typing import NamedTuple

from bench_members import ROOT, Agent
from bench_peers import Yuma123, program
from bench_picture import Series, picture
from bench_rows import Failed, Rows

# All sizes are measured one after the other, and that some times, so that they meet the same machine.
ROUNDS = 7
# More repetitions than this tell nothing more of a median of medians.
REPS_MAX = 100
# What the most entries may take of what the least do.
RATIO_MAX = 1.2
# It is measured up to here: a commit takes half a minute then, and no more is waited for than this.
YUMA123_ENTRIES_MAX, YUMA123_PATIENCE_S = 10_000, 120
# One session in ten waits for ever: then another is opened, and soon where little is asked.
YUMA123_SMALL, YUMA123_SMALL_PATIENCE_S, YUMA123_TRIES = 1000, 15, 4
# Milliseconds by entries: DESIGN's measurement of 2026 with this load generator's like, on a machine with 2 cores.
FIELD = {("netopeer2", "edit"): {1000: 3.8, 100_000: 717, 1_000_000: 6100},
         ("netopeer2", "commit"): {1000: 11.6, 100_000: 2100, 1_000_000: 26_600},
         ("clixon", "commit"): {1000: 28, 100_000: 1900, 1_000_000: 24_000}}


KINDS = {"edit": "edit of running", "commit": "candidate edit and commit"}


class Write(NamedTuple):
    """A write that is measured."""

    task: str
    # In rows and in the table; in the picture.
    name: str
    short: str
    # "edit" of running or "commit" of the candidate.
    kind: str


WRITES = (Write("edit", "edit of running", "Quorate, no constraints", "edit"),
          Write("commit", "candidate edit and commit", "Quorate, no constraints", "commit"),
          Write("change-service", "constraints, commit of a change", "Quorate, constraints, change",
                "commit"),
          Write("add-service", "constraints, commit of a new entry", "Quorate, constraints, new",
                "commit"),
          Write("remove-server", "constraints, delete what none refers to", "Quorate, delete of a leafref's target", "edit"),
          Write("remove-referred", "constraints, delete what is in use: refused", "Quorate, the same, refused", "edit"))


def in_turns(bench, targets, task, name):
    """The median of the p50s of a write, in milliseconds by number of entries. Sizes where it fails are left out."""
    reps = min(bench.options.reps, REPS_MAX)
    times = {entries: [] for entries in targets}
    for _ in range(ROUNDS):
        for entries in list(times):
            bench.changes += reps
            try:
                numbers = bench.load(targets[entries], task, entries=entries, reps=reps, **{"from": bench.changes})
            except Failed as error:
                bench.failed(entries, name, error)
                del times[entries]
            else:
                times[entries].append(numbers["p50"])
    return {entries: statistics.median(rounds) for entries, rounds in times.items()}


def ratio_row(bench, points, name):
    """What the most entries take of what the least do."""
    if len(points) < 2:
        return
    least, most = min(points), max(points)
    bench.row(most, f"{name}, against {least:,}", points[most] / points[least], "times", RATIO_MAX,
              note=f"{points[most]:.2f} and {points[least]:.2f} ms")


class GrowthBench(Rows):
    """One-entry writes of agents that differ in nothing but how many entries they hold."""

    def __init__(self, options):
        super().__init__(options)
        # Milliseconds by number of entries, of each system and task.
        self.points = {}
        # The agents that are loaded, by number of entries.
        self.targets = {}

    def run(self):
        agents = {entries: Agent(self.options.agent, self.options.work / f"agent-{entries}")
                  for entries in self.options.entries}
        try:
            for entries, agent in agents.items():
                self.attempt(entries, "load", lambda: self.fill(agent, entries))
            for write in WRITES:
                self.attempt(None, write.name, lambda: self.curve(write))
        finally:
            for agent in agents.values():
                agent.stop()
        self.yuma123()
        self.raw["growth"] = {" ".join(name): points for name, points in self.points.items()}
        # A picture of less does not replace the one of README.md.
        is_whole = not self.options.quick and all(row["measured"] is not None for row in self.rows)
        place = ROOT / "tools" if is_whole else self.options.work.parent
        (place / "growth.svg").write_text(picture(self.panels()))
        self.say(f"\nThe picture is {place / 'growth.svg'}. The table:\n\n{self.table()}")

    def fill(self, agent, entries):
        """So many entries in both lists."""
        agent.start()
        agent.wait()
        self.load(agent.target, "fill-running", entries=entries)
        self.load(agent.target, "fill-services", entries=entries, reps=REPS_MAX)
        self.targets[entries] = agent.target

    def curve(self, write):
        """The rows of a write: each size, and the last against the first."""
        self.set_fdatasync(self.load([], "floor", reps=200)["fdatasync_p50"])
        points = in_turns(self, self.targets, write.task, write.name)
        for entries, p50 in points.items():
            budget = self.allowed_ms(0.2 if write.kind == "commit" else 0)
            self.row(entries, f"{write.name}, p50", p50, "ms", budget, note=self.busy)
        ratio_row(self, points, write.name)
        self.points["Quorate", write.task] = points

    def yuma123(self):
        """yuma123 writes to either of the datastores, so there is one for each."""
        netconfd = program("netconfd", self.options.work)
        if not netconfd:
            self.say("no yuma123: it is neither installed nor to be had as Debian's netconfd")
            return
        self.say(netconfd.version())
        for task, datastore in (("edit", "running"), ("commit", "candidate")):
            server = Yuma123(netconfd, self.options.work / f"yuma123-{datastore}", datastore)
            points = self.points["yuma123", task] = {}
            try:
                server.start()
                for entries in self.options.entries:
                    if entries <= YUMA123_ENTRIES_MAX:
                        self.persist(server.target, f"fill-{datastore}", entries=entries)
                        reps = 20 if entries <= YUMA123_SMALL else 2
                        points[entries] = self.persist(server.target, task, entries=entries, reps=reps)["p50"]
                        self.row(entries, f"yuma123: {KINDS[task]}, p50", points[entries], "ms")
            except Failed as error:
                self.say(f"yuma123 went no further with {datastore}: {error}")
            finally:
                server.stop()

    def persist(self, target, task, entries, **settings):
        """As `load`, of a server that may not answer."""
        patience_s = YUMA123_PATIENCE_S if entries > YUMA123_SMALL else YUMA123_SMALL_PATIENCE_S
        for _ in range(YUMA123_TRIES):
            try:
                return self.load(target, task, patience_s, entries=entries, **settings)
            except Failed as error:
                last = error
        raise last

    def panels(self):
        """The two diagrams of the picture: titles and curves."""
        panels = []
        for kind in ("commit", "edit"):
            curves = [Series(write.short, self.points.get(("Quorate", write.task), {}))
                      for write in WRITES if write.kind == kind]
            curves.append(Series("yuma123", self.points.get(("yuma123", kind), {})))
            curves += [Series(f"{system} (measured earlier)", points, is_given=True)
                       for (system, task), points in FIELD.items() if task == kind]
            panels.append((KINDS[kind], [curve for curve in curves if curve.points]))
        return panels

    def table(self):
        """In Markdown."""
        sizes = self.options.entries
        lines = ["| one entry, median, of a list of | " + " | ".join(f"{size:,}" for size in sizes) + " |",
                 "|---|" + "---:|" * len(sizes)]
        rows = [(f"**Quorate**, {write.name}", self.points.get(("Quorate", write.task), {})) for write in WRITES]
        rows += [(f"yuma123, {KINDS[task]}", points) for (name, task), points in self.points.items()
                 if name == "yuma123"]
        rows += [(f"{system}, {KINDS[task]} ¹", points) for (system, task), points in FIELD.items()]
        for name, points in rows:
            cells = [duration(points[size]) if size in points else "" for size in sizes]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        return "\n".join(lines)


def duration(ms):
    """With two digits that count, or three of what has more before the point."""
    value, unit = (ms, "ms") if ms < 1000 else (ms / 1000, "s")
    return f"{value:#.2g} {unit}" if value < 10 else f"{value:.3g} {unit}"
