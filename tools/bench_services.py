"""The part of tools/bench on a list with constraints: each service has a must, a leafref and a unique."""
import statistics
import subprocess
import time

from bench_members import ROOT
from bench_peers import program
from bench_rows import TASK_TIMEOUT_S, Failed

MODELS = ROOT / "netconf-tests/yang"
# yanglint reads, and reads and validates, in turns.
ROUNDS = 3


def service_rows(bench, target, entries):
    """One agent's rows, with as many services as entries."""
    reps = bench.options.reps

    def fill():
        numbers = bench.load(target, "fill-services", entries=entries, reps=reps)
        bench.row(entries, "constraints: bulk load in one edit-config", numbers["total_ms"], "ms",
                  note=f"{numbers['bytes'] / 1e6:.1f} MB")

    def write(task, name, more_ms):
        numbers = bench.load(target, task, entries=entries, reps=reps)
        bench.row(entries, f"constraints: {name}, p50", numbers["p50"], "ms", bench.allowed_ms(more_ms),
                  note=bench.busy)

    def validate():
        others = libyang_ms(bench, entries)
        if others:
            bench.row(entries, "floor: libyang validates all services", others, "ms",
                      note="yanglint -t config less yanglint -t edit, which only parses")
        numbers = bench.load(target, "validate", entries=entries, reps=5)
        bench.row(entries, "constraints: validate, all services changed, p50", numbers["p50"], "ms", others)

    bench.attempt(entries, "constraints: bulk load", fill)
    for task, name, more_ms in (("change-service", "commit of a changed service", 0.2),
                                ("add-service", "commit of a new service", 0.2),
                                ("remove-server", "delete of a server out of use", 0),
                                ("remove-referred", "delete of a server in use, refused", 0)):
        bench.attempt(entries, f"constraints: {name}", lambda: write(task, name, more_ms))
    bench.attempt(entries, "constraints: validate", validate)


def libyang_ms(bench, entries):
    """What libyang takes to validate the same services, beside reading them; None if there is no yanglint."""
    if not hasattr(bench, "yanglint"):
        bench.yanglint = program("yanglint", bench.options.work)
        bench.say(bench.yanglint.version() if bench.yanglint else
                  "no yanglint: it is neither installed nor to be had as Debian's libyang2-tools")
    if not bench.yanglint:
        return None
    document = bench.options.work / "services.xml"
    with open(document, "w") as output:
        subprocess.run([bench.options.load, "print-services", "--entries", str(entries)], stdout=output, check=True,
                       timeout=TASK_TIMEOUT_S)

    def took_s(kind):
        began = time.monotonic()
        done = bench.yanglint.run("-t", kind, "-p", MODELS, MODELS / "bench-rules.yang", document,
                                  timeout=TASK_TIMEOUT_S)
        if done.returncode != 0:
            raise Failed(f"yanglint: {done.stderr.strip()[-500:]}")
        return time.monotonic() - began

    rounds = [took_s("config") - took_s("edit") for _ in range(ROUNDS)]
    document.unlink()
    return 1e3 * statistics.median(rounds)
