"""Moves the package's modules into rooms and rewrites imports, docstrings and docs.

    python draft/move_to_rooms.py        in the repository's root, on a clean tree

Then: `Path(__file__).parent(s)` in system/errors.py, system/runtime.py and system/config_file.py goes
one level up; `ruff check --fix`, `ruff format`, `mypy`; draft/test_layers.py replaces
tests/test_layers.py.
"""

import ast
import io
import re
import subprocess
import tokenize
from pathlib import Path

ROOMS = {
    "system": "cli config_file errors runtime discover progress",
    "step": "types program states step step_programs objective predict members schedules optim metrics reads tasks augment",
    "models": "convolution linen ensembles",
    "config": "build build_data build_terms build_sweep checks effects wiring",
    "training": "train fit feed parallel evaluation selection log teacher_cache execution outline",
    "runs": "workdir checkpoint restore writers results standing",
    "evaluation": "evaluation_records examine answers kept cost statistics maps evaluation_tables sweep_tables sweep_records figures",
    "plots": "sweep_pictures report_page report_sections report_sweep charts",
}
MOVE = {m: f"{room}.{m}" for room, ms in ROOMS.items() for m in ms.split()}
ORDER = [
    "app",
    "plots",
    "evaluation",
    "training",
    "runs",
    "interchange",
    "config",
    "terms",
    "models",
    "step",
    "losses",
    "data",
    "system",
]
DOC = {
    "system": "What surrounds the work: flags and errors, the console, discovery by name, the backend.",
    "step": "One training step: its types, its two halves, its programs, and all that they are made of.",
    "config": "What a config means: what is built from it, and everything that is checked first.",
    "training": "A whole run: its stages, the loop of one stage, input, devices, validation, selection.",
    "runs": "What a run has on disk: workdir, checkpoints (Orbax), the metrics log, results.",
    "evaluation": "What a run's networks can do: measures, cost, statistics, tables.",
    "plots": "Pictures and report pages: data in, figures out (matplotlib).",
}
for room, doc in DOC.items():
    d = Path("kdjax") / room
    moved_pkg = None
    if room == "step":
        # step.py is in the way of the package step
        subprocess.run(["git", "mv", "kdjax/step.py", "kdjax/_step_tmp.py"], check=True)
    if room == "evaluation":
        subprocess.run(["git", "mv", "kdjax/evaluation.py", "kdjax/_evaluation_tmp.py"], check=True)
    d.mkdir(exist_ok=True)
    (d / "__init__.py").write_text(f'"""{doc}"""\n')
for m, new in MOVE.items():
    room, base = new.split(".")
    src = Path("kdjax") / m
    if src.is_dir() and m not in DOC:
        subprocess.run(["git", "mv", str(src), f"kdjax/{room}/{m}"], check=True)
        continue
    f = Path("kdjax") / (f"_{m}_tmp.py" if m in ("step", "evaluation") else f"{m}.py")
    if m == "linen":
        continue
    subprocess.run(["git", "mv", str(f), f"kdjax/{room}/{base}.py"], check=True)
subprocess.run(["git", "add", "-A"], check=True)

names = "|".join(sorted((m for m in MOVE if m != "linen"), key=len, reverse=True))
TEXT = re.compile(rf"\bkdjax\.({names})\b")
PATH = re.compile(rf"\bkdjax/({names})(?=\.py\b|/|`)")


def text(s):
    s = TEXT.sub(lambda m: f"kdjax.{MOVE[m.group(1)]}", s)
    return PATH.sub(lambda m: "kdjax/" + MOVE[m.group(1)].replace(".", "/"), s)


def rewrite(path):
    src = path.read_text()
    tree = ast.parse(src)
    lines = src.splitlines(keepends=True)
    edits = []
    for n in ast.walk(tree):
        if (
            isinstance(n, ast.ImportFrom)
            and n.level == 0
            and n.module
            and n.module.split(".")[0] == "kdjax"
        ):
            ind = " " * n.col_offset
            rest = n.module.split(".")[1:]
            groups = {}

            def nm(a):
                return a.name + (f" as {a.asname}" if a.asname else "")

            if not rest:
                for a in n.names:
                    if a.name in MOVE and a.name != "linen":
                        groups.setdefault("kdjax." + MOVE[a.name].split(".")[0], []).append(nm(a))
                    else:
                        groups.setdefault("kdjax", []).append(nm(a))
            elif rest[0] in MOVE and rest[0] != "linen":
                groups["kdjax." + MOVE[rest[0]] + "".join("." + r for r in rest[1:])] = [
                    nm(a) for a in n.names
                ]
            else:
                continue
            tail = lines[n.end_lineno - 1][n.end_col_offset :]
            new = "".join(
                f"{ind}from {mod} import {', '.join(v)}{tail.rstrip() if i == len(groups) - 1 else ''}\n"
                for i, (mod, v) in enumerate(sorted(groups.items()))
            )
            edits.append((n.lineno - 1, n.end_lineno, new))
    out = []
    pos = 0
    # comments and strings elsewhere
    skip = {i for a, b, _ in edits for i in range(a, b)}
    repl = {}
    try:
        toks = list(tokenize.generate_tokens(io.StringIO(src).readline))
    except tokenize.TokenError:
        toks = []
    L = lines[:]
    for t in reversed(toks):
        if t.type in (tokenize.STRING, tokenize.COMMENT) and (t.start[0] - 1) not in skip:
            new = text(t.string)
            if new != t.string:
                (r1, c1), (r2, c2) = t.start, t.end
                seg = "".join(L[r1 - 1 : r2])
                start = c1
                end = len(seg) - (len(L[r2 - 1]) - c2)
                seg = seg[:start] + new + seg[end:]
                nl = seg.splitlines(keepends=True)
                assert len(nl) == r2 - r1 + 1
                L[r1 - 1 : r2] = nl
    for a, b, new in sorted(edits, reverse=True):
        L[a:b] = [new]
    res = "".join(L)
    if res != src:
        path.write_text(res)


for d in ("kdjax", "tests", "experiments", "configs"):
    for f in Path(d).rglob("*.py"):
        rewrite(f)
for f in [Path("README.md"), *Path("docs").glob("*.md"), Path("pyproject.toml"), Path("launch.sh")]:
    s = f.read_text()
    t = text(s)
    if s != t:
        f.write_text(t)
