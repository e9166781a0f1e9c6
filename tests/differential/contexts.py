"""Differential test of contexts: where ``conf/contexts.py`` says that nginx takes a directive, asked of it.

    python3 tests/differential/contexts.py [--nginx /usr/sbin/nginx]

Every directive of the table is written into every block, without arguments: nginx looks at the place before
it counts them (``ngx_conf_handler``). Prints each disagreement, and one line at the end; exits 1 if there is
any.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

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


def main() -> int:
    """Ask about every directive in every block."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--nginx", default="/usr/sbin/nginx")
    nginx = parser.parse_args().nginx
    asked = wrong = unknown = 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "nginx.conf")
        for name, taken in sorted(contexts.TAKEN.items()):
            for block, text in BLOCKS.items():
                path.write_text(text.format(f"{name.decode()};"), encoding="utf-8")
                done = subprocess.run(
                    [nginx, "-t", "-q", "-c", str(path), "-p", folder],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if f'unknown directive "{name.decode()}"' in done.stderr:
                    unknown += 1
                    continue
                asked += 1
                found = PLACE.search(done.stderr)
                allowed = found is None or found.group(1) != name.decode()
                ours = name not in {one.name for one in contexts.misplaced(load(str(path)))}
                if not allowed == ours == (block in taken):
                    wrong += 1
                    print(
                        f"{name.decode()} in {block}: nginx {'takes' if allowed else 'refuses'} it",
                        done.stderr,
                    )
    print(f"contexts: {asked} asked, {wrong} disagreements, {unknown} of modules that this nginx has not")
    return 1 if wrong or not asked else 0


if __name__ == "__main__":
    sys.exit(main())
