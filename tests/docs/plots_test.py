"""The plots that a page shows were drawn from the figures that its tables quote: each names their SHA-256.

  plots_test.py PAGE
"""
import hashlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main():
    page = Path(sys.argv[1])
    text = page.read_text(encoding="utf-8")
    named = re.search(r"<!-- bench_table begin: (.*?) -->", text).group(1)
    if named == "none":
        return 0
    wanted = hashlib.sha256((ROOT / named).read_bytes()).hexdigest()
    plots = re.findall(r"\]\((images/\S+\.svg)\)", text)
    wrong = [plot for plot in plots if not (page.parent / plot).exists() or wanted not in (page.parent / plot).read_text(encoding="utf-8")]
    for plot in wrong:
        print(f"{plot}: was not drawn from {named}: run scripts/bench_plots {named}")
    print(f"{len(plots)} plots, {len(wrong)} failures")
    return 1 if wrong or not plots else 0


if __name__ == "__main__":
    sys.exit(main())
