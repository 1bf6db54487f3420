"""scripts/fault_campaign on a stand-in with all the habits that it checks, and on ones that lack one each: campaign_test.py LIBRARY."""
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
CAMPAIGN = HERE.parents[1] / "scripts" / "fault_campaign"

# What is wrong with the stand-in; where the campaign is to look; what it must say.
BUGS = (
    ("in_place", "faults", "run", "kill-after", "neither old nor new"),
    ("no_sync", "faults", "run", "EINTR", "was not synced after its last write"),
    ("no_folder_sync", "faults", "run", "EINTR", "the directory is not synced"),
    ("errors_ignored", "faults", "run", "ENOSPC", "exit 0, but"),
    ("short_writes", "faults", "run", "short", "exit 0, but"),
    ("failure_leaves_temporary", "faults", "run", "EIO", "left over"),
    ("term_leaves_temporary", "faults", "run", "term", "left over"),
    ("dead_temporaries_stay", "faults", "run", "kill-after", "run after it: left over"),
    ("store_lost", "faults", "append", "kill-after", "history.h5 is missing"),
    ("nameless", "faults", "run", "ENOSPC", "does not name the file"),
    ("state_trusted", "damage", "resume", "term", "exit 0, but"),
    ("foreign_state_taken", "damage", "resume", "term", "exit 0 for 3"),
    ("state_stays", "damage", "resume", "term", "an undisturbed run left"),
    ("no_lock", "world", "run", "term", "a second run: exit 0 for 1"),
    ("shards_unchecked", "world", "merge", "term", "a shard cut off: exit 0 for 3"),
)


def campaign(*arguments, bug=""):
    done = subprocess.run([CAMPAIGN, "--quick", "--greekgrid", HERE / "stand_in", "--preload", sys.argv[1], *arguments], capture_output=True,
                          text=True, env={**os.environ, "STAND_IN_BUG": bug}, timeout=280)
    return done.returncode, done.stdout + done.stderr


def main():
    code, text = campaign("--kills", "12")
    assert code == 0, f"the campaign finds fault with a stand-in that has none:\n{text}"
    for bug, only, job, kind, says in BUGS:
        code, text = campaign("--only", only, "--job", job, "--kind", kind, "--points", "100", bug=bug)
        assert code == 1 and says in text, f"{bug}: exit {code}, no word of '{says}':\n{text}"
    print(f"the campaign finds each of {len(BUGS)} bugs, and none where there is none")


main()
