"""The command line of ``nginx-websocket.pyz``.

What a verb needs is imported where the verb begins: Python compiles whatever it imports from a zip file,
every time, and a diagnosis needs no transaction.
"""

from __future__ import annotations

import argparse
import sys
from typing import List, NoReturn, Optional

from . import looking
from .looking import WRONG_USE, WrongUse

STATE_DIR = "/var/lib/nginx_websocket"
_EPILOG = "exit status: 0 it works (or was done), 1 it fails, 2 it cannot be told, 3 wrong use"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with the status for wrong use, which argparse would give as 2."""
        self.print_usage(sys.stderr)
        self.exit(WRONG_USE, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nginx-websocket.pyz",
        description="WebSockets behind nginx: why one does not open, what mends it, and the way back.",
        epilog=_EPILOG,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Parser)

    nginx = _Parser(add_help=False)
    nginx.add_argument("--binary", default="", metavar="PATH", help="only the nginx with this executable")
    nginx.add_argument("--conf", default="", metavar="PATH", help="only the nginx with this main file")
    nginx.add_argument("--json", action="store_true", help="print data in place of text")

    client = _Parser(add_help=False)
    client.add_argument("--origin", metavar="ORIGIN", help="Origin that the page sends")
    client.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'")
    client.add_argument("--subprotocol", action="append", default=[], metavar="NAME")
    client.add_argument("--address", default="", metavar="IP[:PORT]", help="connect there")
    client.add_argument("--cafile", metavar="FILE", help="authorities to trust in place of the system's")
    client.add_argument("--timeout", type=float, default=5.0, metavar="SECONDS")
    client.add_argument("--ping-interval", type=float, default=0.0, metavar="SECONDS",
                        help="longest silence of the application")  # fmt: skip

    verb = verbs.add_parser("diagnose", parents=[client, nginx], epilog=_EPILOG,
                            help="why a WebSocket does not open; changes nothing")  # fmt: skip
    verb.add_argument("url", metavar="URL", help="such as wss://example.org/ws/")
    verb.add_argument("--dump", default="", metavar="FILE|-", help="ask the output of nginx -T, no host")
    verb.add_argument("--hold", type=float, default=0.3, metavar="SECONDS",
                      help="how long an open socket is watched (0: as its timeouts say)")  # fmt: skip
    verb.add_argument("--html", default="", metavar="FILE", help="write the report as a page, too")
    verb.add_argument("--nginx-version", default="1.22.1", metavar="VERSION", help="of that dump")
    verb.set_defaults(run=looking.diagnose)

    verb = verbs.add_parser("routes", parents=[nginx], epilog=_EPILOG,
                            help="every WebSocket route of this host; changes nothing")  # fmt: skip
    verb.set_defaults(run=looking.routes)

    verb = verbs.add_parser("probe", parents=[client], epilog=_EPILOG,
                            help="one handshake, ping and pong")  # fmt: skip
    verb.add_argument("url", metavar="URL")
    verb.add_argument("--insecure", action="store_true", help="accept any certificate")
    verb.add_argument("--json", action="store_true", help="print data in place of text")
    verb.set_defaults(run=looking.probe)

    verb = verbs.add_parser("fix", parents=[client, nginx], epilog=_EPILOG,
                            help="mend nginx's file in place, proven, or undone")  # fmt: skip
    verb.add_argument("url", metavar="URL", nargs="?", help="default: every route of this host that fails")
    verb.add_argument("--check", action="store_true", help="say what would be edited, and touch nothing")
    verb.add_argument("--managed", action="store_true", help="also in a file that another tool owns")
    verb.add_argument("--add-names", action="store_true", help="let a server answer for the URL's name")
    verb.add_argument("--state-dir", default=STATE_DIR, metavar="PATH", help=argparse.SUPPRESS)
    verb.set_defaults(run=_fix)

    verb = verbs.add_parser("rollback", parents=[nginx], epilog=_EPILOG,
                            help="bring back what stood before")  # fmt: skip
    verb.add_argument("--to", default="previous", metavar="previous|original|NUMBER|RELEASE")
    verb.add_argument("--on-drift", default="fail", choices=["fail", "overwrite", "keep"],
                      help="what to do with a mended file that was edited since")  # fmt: skip
    verb.add_argument("--allow-invalid", action="store_true",
                      help="restore files, too, that nginx does not take; it is not reloaded")  # fmt: skip
    verb.add_argument("--list", action="store_true", help="only list what is kept")
    verb.add_argument("--check", action="store_true", help="say what would be done, and touch nothing")
    verb.add_argument("--state-dir", default=STATE_DIR, metavar="PATH", help=argparse.SUPPRESS)
    verb.set_defaults(run=_rollback)
    return parser


def _fix(given: argparse.Namespace) -> int:
    from . import changing

    return changing.fix(given)


def _rollback(given: argparse.Namespace) -> int:
    from . import changing

    return changing.rollback(given)


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command.

    Args:
        arguments: the command line without the program's name; None takes the process's own.

    Returns:
        The exit status: 0 it works (or was done), 1 it fails, 2 it cannot be told, 3 wrong use.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        status: int = given.run(given)
    except WrongUse as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return WRONG_USE
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        return looking.CANNOT_TELL
    except KeyboardInterrupt:
        return 130
    return status
