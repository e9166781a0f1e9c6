"""What a site is, from the role's variables to what the templates render.

Two steps, both on the controller, both without side effects:

- `check` takes the variables as they are, refuses what is wrong, completes the rest, and says what must be
asked of the
  host;
- `fit` takes the completed sites and what `nginx_facts` answered, and returns what the templates render.
"""

from .host import fit
from .questions import answering, live_files, looked_for
from .rendering.templating import compile_templates, release_id, render_site, render_unit
from .specification import options
from .variables import check


def prepare() -> None:
    """Read the specification and compile the templates now, for all that is forked from this process."""
    options()
    compile_templates()


__all__ = [
    "answering",
    "check",
    "fit",
    "live_files",
    "looked_for",
    "prepare",
    "release_id",
    "render_site",
    "render_unit",
]
