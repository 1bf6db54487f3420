"""examples/slurm on a Slurm of its own: an array of shards, one of them killed, one requeued by hand, one told that its time is over,
merged by the job that depends on it; the bytes are those of the unsharded run. slurm_test.py CASE, with CASE one of stand_in, program.

Starts munged, slurmctld and slurmd of Debian's packages in a folder, with their own key, ports and state, and ends them all.
Needs root. GREEKGRID names the program, FAULT_PRELOAD the library that ends it at a chosen write. Exit 77: skipped, with the reason.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SUBMIT = HERE.parents[1] / "examples" / "slurm" / "submit"
SHARDS, KILLED, REQUEUED, OUT_OF_TIME = 4, 2, 3, 4
PATIENCE = 240


class Skip(Exception):
    pass


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def wait_for(what, condition, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


class Cluster:
    """One machine as controller and node. Everything it starts ends with it."""

    def __init__(self, folder):
        self.folder, self.daemons = folder, []
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        # A job of an outer cluster is none of ours.
        for name in [name for name in self.environment if name.startswith(("SLURM_", "SBATCH_")) and name != "SLURM_CONF"]:
            del self.environment[name]

    def start(self):
        folder = self.folder
        for name in ("state", "spool", "log", "munge"):
            (folder / name).mkdir()
        key = folder / "munge" / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        controller, node = free_ports(2)
        host = socket.gethostname().split(".")[0]
        cores = len(os.sched_getaffinity(0))
        (folder / "slurm.conf").write_text(f"""ClusterName=greekgrid
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
JobRequeue=1
KillWait=5
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=500 State=UNKNOWN
PartitionName=night Nodes={host} Default=YES MaxTime=10 State=UP
""")
        self.daemon("munged", "--foreground", "--force", f"--socket={folder}/munge/socket", f"--key-file={key}",
                    f"--pid-file={folder}/munge/pid", f"--log-file={folder}/log/munged.log", f"--seed-file={folder}/munge/seed")
        wait_for("munged", (folder / "munge" / "socket").exists, 20)
        self.daemon("slurmctld", "-D", "-c", "-f", str(folder / "slurm.conf"))
        self.daemon("slurmd", "-D", "-c", "-f", str(folder / "slurm.conf"), "-N", host)
        wait_for("an idle node", lambda: "idle" in self.command("sinfo", "-h", "-o", "%T", code=None), 60)

    def daemon(self, *words):
        with open(self.folder / "log" / f"{words[0]}.out", "wb") as log:
            self.daemons.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment,
                                                 start_new_session=True))

    def command(self, *words, code=0, env=None):
        done = subprocess.run([str(word) for word in words], env={**self.environment, **(env or {})}, capture_output=True, text=True, timeout=60)
        assert code is None or done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def job(self, number):
        """What scontrol says of a job or a task, as a dictionary."""
        text = self.command("scontrol", "show", "job", "-o", number, code=None)
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def stop(self):
        if len(self.daemons) > 1:
            self.command("scancel", "--state=RUNNING", "--signal=KILL", "--full", "-u", "root", code=None)
            self.command("scancel", "-u", "root", code=None)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in reversed(self.daemons):
            try:
                daemon.wait(timeout=15)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        # What a step left behind has the folder in its command line or is its parent's no more: ended by number.
        for entry in pathlib.Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
                environment = (entry / "environ").read_bytes() if entry.name.isdigit() else b""
            except OSError:
                continue
            if str(self.folder).encode() in words + environment and int(entry.name) != os.getpid():
                os.kill(int(entry.name), signal.SIGKILL)

    def logs(self):
        for log in sorted((self.folder / "log").glob("*")) + sorted((self.folder / "shared").rglob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}", file=sys.stderr)


def night(cluster, program, chains, golden, extra=(), environment=None, before=b"an older night"):
    """Submits, disturbs and waits; then the night has the bytes of `golden`."""
    shared = cluster.folder / "shared"
    target = shared / "night.h5"
    target.write_bytes(before)
    env = {"GREEKGRID": str(program), **(environment or {})}
    small = ["--sbatch=--cpus-per-task=1", "--sbatch=--mem=0", "--sbatch=--time=5"]
    numbers = cluster.command(SUBMIT, "-n", SHARDS, "-o", target, *small, chains, "--", *extra, env=env)
    array, merge = numbers.split()
    task = f"{array}_{REQUEUED}"
    parts = shared / ".night.h5.parts"

    # The wrapper sees to KILLED and OUT_OF_TIME; REQUEUED stands still until it is queued again from outside.
    wait_for("the shard that stands still", (shared / f"still-{REQUEUED}").exists)
    assert target.read_bytes() == before
    assert cluster.job(merge)["JobState"] == "PENDING", "the merge waits for the array"
    cluster.command("scontrol", "requeue", task)
    # Slurm lets what was queued again wait for two minutes. Here a few seconds will do: a task that starts in the very second in
    # which its node revoked the former start would be refused.
    waiting = {KILLED, REQUEUED, OUT_OF_TIME}

    def merged():
        for number in list(waiting):
            if cluster.job(f"{array}_{number}").get("Reason") == "BeginTime":
                cluster.command("scontrol", "update", f"JobId={array}_{number}", "StartTime=now+3", code=None)
                waiting.remove(number)
        return cluster.job(merge).get("JobState") in ("COMPLETED", "FAILED", "CANCELLED")

    wait_for("the merge", merged)
    assert cluster.job(merge)["JobState"] == "COMPLETED", cluster.job(merge)
    assert (cluster.folder / "out-of-time").read_text().strip() == "143", "the signal was handed on"
    for number in (KILLED, REQUEUED, OUT_OF_TIME):
        job = cluster.job(f"{array}_{number}")
        assert job["JobState"] == "COMPLETED" and int(job["Restarts"]) >= 1, job
    assert int(cluster.job(f"{array}_1")["Restarts"]) == 0
    assert target.read_bytes() == golden, "not the bytes of the unsharded run"
    assert not parts.exists(), "the shards are gone once they are merged"
    left = [entry.name for entry in shared.iterdir() if entry.name.startswith(".")]
    assert not left, left


def rejected(cluster, program, chains):
    """Where a shard fails for good the merge goes too, and the old night stays."""
    shared = cluster.folder / "shared"
    target = shared / "rejected.h5"
    target.write_bytes(b"an older night")
    small = ["--sbatch=--cpus-per-task=1", "--sbatch=--mem=0", "--sbatch=--time=5"]
    array, merge = cluster.command(SUBMIT, "-n", 2, "-o", target, *small, chains, env={"GREEKGRID": str(program)}).split()
    wait_for("the merge to be given up", lambda: cluster.job(merge).get("JobState") in (None, "CANCELLED"), 90)
    assert cluster.job(f"{array}_2")["JobState"] == "FAILED" and int(cluster.job(f"{array}_2")["Restarts"]) == 0
    assert target.read_bytes() == b"an older night"


def wrapper(folder, name, program, preload, counted):
    """The program, but at its writing call number `counted` the first try of shard KILLED is killed, that of REQUEUED stands still, and
    the shell of OUT_OF_TIME is told to end."""
    path = folder / name
    path.write_text(f"""#!/usr/bin/env bash
shared={folder}/shared
if [ "$1" = run ] && [ "${{SLURM_RESTART_COUNT:-0}}" -eq 0 ]; then
  export GREEKGRID_FAULT_DIR=$shared
  case $SLURM_ARRAY_TASK_ID in
    {KILLED}) GREEKGRID_FAULT={counted}:kill-after LD_PRELOAD={preload} exec {program} "$@" ;;
    {REQUEUED})
      GREEKGRID_FAULT={counted}:stop LD_PRELOAD={preload} {program} "$@" &
      running=$!
      until grep -q '^State:.T' /proc/$running/status; do sleep 0.1; done
      touch "$shared/still-{REQUEUED}"
      wait
      exit 99 ;;
    {OUT_OF_TIME})
      # As --signal=B:TERM does: the batch shell alone gets the signal. It stands before the program goes on, whose shard is so small
      # that it would be done first.
      trap 'kill -TERM $running; kill -CONT $running' TERM
      GREEKGRID_FAULT={counted}:stop LD_PRELOAD={preload} {program} "$@" &
      running=$!
      until grep -q '^State:.T' /proc/$running/status; do sleep 0.1; done
      kill -TERM $PPID
      code=0
      wait $running || code=$?
      while kill -0 $running 2> /dev/null; do
        code=0
        wait $running || code=$?
      done
      echo $code > "$shared/../out-of-time"
      exit $code ;;
  esac
fi
exec {program} "$@"
""")
    path.chmod(0o755)
    return path


def case_stand_in(cluster):
    chains = cluster.folder / "shared" / "chains"
    chains.write_text("".join(f"TICKER{k}\n" for k in range(40)))
    stand_in = HERE / "stand_in"
    whole = cluster.folder / "whole"
    subprocess.run([stand_in, "run", chains, "-o", whole, "--shard", "1/1"], check=True)
    starts = cluster.folder / "starts"
    night(cluster, wrapper(cluster.folder, "program", stand_in, os.environ["FAULT_PRELOAD"], 12), chains, whole.read_bytes(),
          environment={"STAND_IN_LOG": str(starts)})
    begun = [line.split() for line in starts.read_text().splitlines()]
    for shard in range(1, SHARDS + 1):
        done = [int(count) for number, count in begun if int(number) == shard]
        assert len(done) == (1 if shard == 1 else 2) and done == sorted(set(done)), (shard, done, "not taken up where it was")
    refuses = cluster.folder / "refuses"
    refuses.write_text("#!/bin/sh\n[ \"$SLURM_ARRAY_TASK_ID\" = 1 ] || exit 3\n")
    refuses.chmod(0o755)
    rejected(cluster, refuses, chains)


def case_program(cluster):
    program = os.environ["GREEKGRID"]
    options = subprocess.run([program, "run", "--help"], capture_output=True, text=True, check=True).stdout
    if "--shard" not in options or "--resume" not in options:
        raise Skip("the program has no --shard or no --resume")
    shared = cluster.folder / "shared"
    chains, config, whole = shared / "chains.h5", shared / "run.toml", cluster.folder / "whole.h5"
    config.write_text("[scenarios]\nspots = 9\niv_shifts = [0.0]\nsessions = 1\n")
    subprocess.run([program, "synth", "--tickers", "16", "--contracts", "1600", "--seed", "1", "-o", chains], check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run([program, "run", chains, "--config", config, "-o", whole], check=True, stderr=subprocess.DEVNULL)
    # Call 27 is among the records of a shard of four tickers (GREEKGRID_FAULT_COUNT_FILE lists the calls).
    night(cluster, wrapper(cluster.folder, "program", program, os.environ["FAULT_PRELOAD"], 27), chains, whole.read_bytes(),
          extra=["--config", config])


def main():
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")]
    if missing:
        raise Skip(f"no {', '.join(missing)} (scripts/install_dependencies slurm installs them)")
    if os.geteuid() != 0:
        raise Skip("slurmd needs root")
    os.environ["PATH"] += ":/usr/sbin"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="greekgrid_slurm_"))
    folder.chmod(0o755)
    (folder / "shared").mkdir()
    cluster = Cluster(folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if sys.argv[1] == "program":
            options = subprocess.run([os.environ["GREEKGRID"], "run", "--help"], capture_output=True, text=True, check=True).stdout
            if "--shard" not in options or "--resume" not in options:
                raise Skip("the program has no --shard or no --resume")
        try:
            cluster.start()
            {"stand_in": case_stand_in, "program": case_program}[sys.argv[1]](cluster)
        except BaseException:
            cluster.logs()
            raise
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


try:
    main()
except Skip as reason:
    print(f"skipped: {reason}")
    sys.exit(77)
