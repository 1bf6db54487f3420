"""The machine, the commit and the commands that result files of benchmarks record."""
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(command, **options):
    print("+", " ".join(map(str, command)), file=sys.stderr, flush=True)
    return subprocess.run([str(word) for word in command], check=True, text=True, **options)


def output(*command):
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine():
    facts = dict(line.split(":", 1) for line in output("lscpu").splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    memory = next((line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")), "0")
    os_name = next((line.split("=", 1)[1].strip('"') for line in Path("/etc/os-release").read_text().splitlines()
                    if line.startswith("PRETTY_NAME")), platform.platform())
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    gpu = output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    return {
        "processor": facts.get("Model name", "unknown"),
        "model": "family {} model {} stepping {}".format(*(facts.get(k, "?") for k in ("CPU family", "Model", "Stepping"))),
        "cores": len(os.sched_getaffinity(0)),
        "threads_per_core": facts.get("Thread(s) per core", "?"),
        "l2": facts.get("L2 cache", "?"),
        "l3": facts.get("L3 cache", "?"),
        "virtual": facts.get("Hypervisor vendor", "no"),
        "memory_bytes": int(memory) * 1024,
        "governor": governor.read_text().strip() if governor.exists() else "unknown",
        "operating_system": os_name,
        "kernel": platform.release(),
        "compiler": output(os.environ.get("CXX", "c++"), "--version").split("\n")[0],
        "gpu": gpu or "none",
    }


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)|processor|cpu|@.*", "", text.lower())).strip("-")


def kind_of(facts):
    """What a machine is called in the name of a folder of results."""
    return f"{slug(facts['processor'])}-{facts['cores']}cores"


def commit_of_checkout():
    commit = output("git", "rev-parse", "HEAD") or os.environ.get("GREEKGRID_COMMIT", "unknown")
    return commit + (" with changes" if output("git", "status", "--porcelain", "--untracked-files=no") else "")


def shown(command):
    """The command with paths of this machine cut down to what another reader can use."""
    words = []
    for word in map(str, command):
        if word.startswith("--benchmark_out"):
            continue
        words.append(re.sub(r"^/.*/", "", word) if word.startswith("/") else word)
    return " ".join(words)


def first_python(script, *arguments):
    """What a baseline in numpy prints as JSON, by the first Python that has what it needs (77: it has not), or None."""
    for python in (sys.executable, "python3", "/usr/bin/python3"):
        done = subprocess.run([python, script, *arguments], capture_output=True, text=True)
        if done.returncode == 0:
            return json.loads(done.stdout)
        if done.returncode != 77:
            sys.exit(f"{Path(script).name} failed\n{done.stderr}")
    return None
