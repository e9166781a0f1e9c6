"""Differential test of contexts: where and with how many words nginx takes a directive, asked of it.

    python3 tests/differential/contexts.py [--nginx /usr/sbin/nginx]

Every directive of ``conf/contexts.py`` is written into every block, without arguments: nginx looks at the
place before it counts them (``ngx_conf_handler``). In a block that takes it, it is written with none to five.
Prints each disagreement, and one line at the end; exits 1 if there is any.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
from typing import Optional

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from module_utils.nginx_websocket.conf import contexts
from module_utils.nginx_websocket.conf.load import load

BLOCKS = {
    contexts.MAIN: "{} events {{}} http {{}}",
    contexts.EVENTS: "events {{ {} }} http {{}}",
    contexts.HTTP: "events {{}} http {{ {} }}",
    contexts.UPSTREAM: "events {{}} http {{ upstream u {{ server 127.0.0.1; {} }} }}",
    contexts.SERVER: "events {{}} http {{ server {{ {} }} }}",
    contexts.SERVER_IF: "events {{}} http {{ server {{ if ($uri) {{ {} }} }} }}",
    contexts.LOCATION: "events {{}} http {{ server {{ location / {{ {} }} }} }}",
    contexts.LOCATION_IF: "events {{}} http {{ server {{ location / {{ if ($uri) {{ {} }} }} }} }}",
    contexts.EXCEPT: "events {{}} http {{ server {{ location / {{ limit_except GET {{ {} }} }} }} }}",
}
PLACE = re.compile(r'"(\w+)" directive is not allowed here')
MOST = 5


class Nginx:
    """The one that is asked, and what came of it."""

    def __init__(self, binary: str, folder: str) -> None:
        """Nothing is asked yet."""
        self.binary, self.folder = binary, folder
        self.path = pathlib.Path(folder, "nginx.conf")
        self.asked = self.wrong = self.unknown = 0

    def says(self, name: bytes, block: str, words: int) -> Optional[str]:
        """What it says of a directive with so many words in a block; None where it does not know it."""
        line = " ".join([name.decode(), *["x"] * words])
        self.path.write_text(BLOCKS[block].format(f"{line};"), encoding="utf-8")
        done = subprocess.run(
            [self.binary, "-t", "-q", "-c", str(self.path), "-p", self.folder],
            capture_output=True,
            text=True,
            check=False,
        )
        if f'unknown directive "{name.decode()}"' in done.stderr:
            self.unknown += 1
            return None
        self.asked += 1
        return done.stderr

    def differs(self, sentence: str) -> None:
        """Tell a disagreement."""
        self.wrong += 1
        print(sentence)


def placed(nginx: Nginx, name: bytes, block: str) -> None:
    """Compare whether a block takes a directive."""
    said = nginx.says(name, block, 0)
    if said is None:
        return
    found = PLACE.search(said)
    allowed = found is None or found.group(1) != name.decode()
    ours = name not in {one.name for one in contexts.misplaced(load(str(nginx.path)))}
    if not allowed == ours == (block in contexts.TAKEN[name]):
        nginx.differs(f"{name.decode()} in {block}: nginx {'takes' if allowed else 'refuses'} it: {said}")


def counted(nginx: Nginx, name: bytes, words: int) -> None:
    """Compare whether a directive takes so many words, in the innermost block that takes it."""
    block = max(contexts.TAKEN[name], key=contexts.ORDER.index)
    said = nginx.says(name, block, words)
    if said is None:
        return
    allowed = f'invalid number of arguments in "{name.decode()}"' not in said
    (line,) = (
        one for one in load(str(nginx.path)).walk() if one.name == name and one.args == (b"x",) * words
    )
    if allowed == contexts.miscounted(line):
        nginx.differs(
            f"{name.decode()} with {words} words: nginx {'takes' if allowed else 'refuses'} them: {said}"
        )


def main() -> int:
    """Ask about every directive in every block, and with every number of words."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--nginx", default="/usr/sbin/nginx")
    with tempfile.TemporaryDirectory() as folder:
        nginx = Nginx(parser.parse_args().nginx, folder)
        for name in sorted(contexts.TAKEN):
            for block in BLOCKS:
                placed(nginx, name, block)
        for name in sorted(contexts.COUNTS):
            for words in range(MOST + 1):
                counted(nginx, name, words)
    unknown = f"{nginx.unknown} of modules that this nginx has not"
    print(f"contexts: {nginx.asked} asked, {nginx.wrong} disagreements, {unknown}")
    return 1 if nginx.wrong or not nginx.asked else 0


if __name__ == "__main__":
    sys.exit(main())
