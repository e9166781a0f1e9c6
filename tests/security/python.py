#!/usr/bin/python3.11 -I
"""Stands for a host's Python: answers Ansible's modules and the verification's question as an attack says.

Lies on the lab host as ATTACK@MODULE/python3 (or ATTACK/python3: whatever is asked), beside attacks.py and
the answers that the true Python gave before (``record/python3``).
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TRUE = "/usr/bin/python3.11"
ANSWERS = HERE.parent / "answers"


def asked(words, text):
    """Which module is asked, empty for none."""
    # As Ansible packs a module, and as ours are sent without that (host_answers/sending.py).
    found = re.search(rb"ansible_module='(?:[a-z]+\.)*([a-z_]+)'|\{\"module\": \"([a-z_]+)\"", text)
    if found:
        return (found.group(1) or found.group(2)).decode()
    # The verification's question, where it is put by itself (verify/host_report/asking.py).
    return "on_host" if b"What the managed host says" in text else ""


def main():
    words = sys.argv[1:]
    # The verification's question and its program come by standard input (verify/host_report/asking.py).
    program = words[words.index("-c") + 1] if "-c" in words else ""
    silent = sys.stdin.isatty() or (program and "stdin" not in program)
    text = b"" if silent else sys.stdin.buffer.read()
    sent = Path(words[0]) if words and "AnsiballZ_" in words[0] else None
    module = asked(words, sent.read_bytes() if sent else text)
    attack, _, only = HERE.name.partition("@")
    if not module:
        os.execv(TRUE, [TRUE, *words])
    kept = ANSWERS / module
    if attack == "record" or not kept.exists():
        done = subprocess.run([TRUE, *words], input=text, capture_output=True, check=False)
        sys.stderr.buffer.write(done.stderr)
        sys.stdout.buffer.write(done.stdout)
        if attack == "record":
            kept.write_bytes(done.stdout)
        return done.returncode
    answer = json.loads(kept.read_bytes())
    sys.path.insert(0, str(HERE.parent))
    from attacks import ATTACKS, REPORTS, fresh

    answer = fresh(answer, text, alone="on_host" in only)
    if module not in (only or module).split("+"):
        sys.stdout.write(json.dumps(answer))
        return 0
    mark = (HERE.parent / "mark").read_bytes()
    if attack in REPORTS and module != "on_host":
        # The report is a part of what the module answers, the rest of which is true.
        answer["report"] = json.loads(b"".join(ATTACKS[attack](answer["report"])))
        pieces = [json.dumps(answer).encode()]
    else:
        pieces = ATTACKS[attack](answer)
    for piece in pieces:
        sys.stdout.buffer.write(piece.replace(b"@MARK@", mark))
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
