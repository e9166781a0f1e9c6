"""Random and hostile values for every variable of a site, judged by real nginx: `make fuzz`, or

    python -m tests.fuzz.values --seed 1 --examples 100000 [--image IMAGE]

Each example changes one to three values of a site.  What the role accepts must render to a file in which the
same directives stand in the same blocks with as many words as in the file of the site unchanged (but for what
a route says of the backend that it names: that must be that backend's, see `oracle`), and real nginx must
take it; where nginx does not, then only because a file or a host of that name is missing.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import IO, Any, Dict, List, Tuple

from tests.fuzz.oracle import complaint, frame
from tests.unit.role.rendering import checked, rendered
from tests.unit.role.test_hostile_values import ATTACKS, CHARACTERS, LISTED, PLACES, SPECIAL, at
from tests.unit.role.test_hostile_values import SITES as ALL_SITES

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "nginx-websocket-lab:host-bookworm"
#: A listed origin may be the site's own, and stands there once; then a change makes two of it.
SITES = [{**site, **LISTED} if site.get("origins") else site for site in ALL_SITES]
GOOD = [frame(rendered(site)[0]) for site in SITES]

#: A value may name what this host does not have, or not have room for; only that is no defect.
MISSING = (
    "No such file or directory",
    "host not found in upstream",
    "Is a directory",
    "Permission denied",
    "Not a directory",
    "Address family not supported",
    "Cannot assign requested address",
    "cannot load certificate",
    "could not build server_names_hash, you should increase server_names_hash_bucket_size",
)


class Judge:
    """Real nginx, in a container of its own."""

    def __init__(self, image: str) -> None:
        command = ["docker", "run", "--rm", "--interactive", "--volume", f"{ROOT}:/src:ro", "--tmpfs", "/tmp"]
        self.process = subprocess.Popen(
            [*command, image, "python3", "/src/tests/fuzz/judge.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def says(self, content: str) -> str:
        """What ``nginx -t`` says of a site's file; empty when it is content."""
        write, read = self._pipes()
        write.write(json.dumps(content) + "\n")
        write.flush()
        line = read.readline()
        if not line:
            raise RuntimeError("the judge's container ended")
        return str(json.loads(line))

    def _pipes(self) -> Tuple[IO[str], IO[str]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        return self.process.stdin, self.process.stdout

    def close(self) -> None:
        """End the container."""
        self._pipes()[0].close()
        self.process.wait(60)


def hostile(chance: random.Random, value: Any) -> Any:
    """Return a value made from a good one, most of them bad."""
    text = str(value)
    kind = chance.randrange(8)
    if kind == 0:
        return chance.randrange(-(10**12), 10**12)
    if kind == 1:
        return "".join(chance.choice(CHARACTERS) for _ in range(chance.randrange(1, 9)))
    cut = chance.randrange(len(text) + 1)
    if kind == 2:
        return text[:cut] + chance.choice(ATTACKS) + text[cut:]
    if kind == 3:  # another good value's text, in the wrong place
        index, place = chance.choice(PLACES)
        return at(SITES[index], place)
    if kind == 4:  # as long as it can get
        return text[:cut] + chance.choice(text or "a") * chance.randrange(1, 400) + text[cut:]
    if kind == 5:
        return text[:cut] + chance.choice("abz019-._~/") + text[cut + chance.randrange(2) :]
    nasty = "".join(chance.choice(CHARACTERS) for _ in range(chance.randrange(1, 4)))
    return text[:cut] + nasty + text[cut + chance.randrange(3) :]


def example(chance: random.Random) -> Tuple[int, Dict[str, Any], List[Any]]:
    """Return the number of a site, the site with one to three values changed, and what was changed."""
    index = chance.randrange(len(SITES))
    site = copy.deepcopy(SITES[index])
    places = [place for number, place in PLACES if number == index]
    changed = []
    for place in chance.sample(places, chance.choice((1, 1, 1, 2, 3))):
        value = hostile(chance, at(SITES[index], place))
        if str(value) not in SPECIAL:
            at(site, place[:-1])[place[-1]] = value
            changed.append((place, value))
    return index, site, changed


def run(seed: int, examples: int, image: str) -> int:
    """Run, print a summary, and return how many examples are defects."""
    chance = random.Random(seed)
    judge = Judge(image)
    counts: Counter[str] = Counter()
    begun = time.monotonic()
    try:
        for number in range(1, examples + 1):
            index, site, changed = example(chance)
            verdict, why = judged(judge, index, site)
            counts[verdict] += 1
            if verdict == "defect":
                print(f"example {number} of seed {seed}: {changed!r}\n    {why}", flush=True)
            if number % 5000 == 0:
                print(f"{number} examples, {time.monotonic() - begun:.0f} s: {dict(counts)}", flush=True)
    finally:
        judge.close()
    seconds = time.monotonic() - begun
    print(f"seed {seed}: {examples} examples in {seconds:.0f} s: {dict(sorted(counts.items()))}")
    return counts["defect"]


def judged(judge: Judge, index: int, site: Dict[str, Any]) -> Tuple[str, str]:
    """Return the verdict over one site, and why."""
    try:
        if checked(site)["errors"]:
            return "refused", ""
        (content,) = rendered(site)
    except Exception as crash:  # a defect as any other, and no end of the run
        return "defect", f"the role crashed: {type(crash).__name__}: {crash}"
    wrong = complaint(content, site, GOOD[index])
    if wrong:
        return "defect", wrong
    said = judge.says(content.replace("@RELEASE@", "0" * 32))
    if not said:
        return "taken by nginx", ""
    if any(part in said for part in MISSING):
        return "names what is missing", said
    return "defect", said


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--image", default=IMAGE)
    given = parser.parse_args()
    sys.exit(1 if run(given.seed, given.examples, given.image) else 0)
