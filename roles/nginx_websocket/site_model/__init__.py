"""What a site is, from the role's variables to what the templates render.

Two steps, both on the controller, both without side effects:

- `check` takes the variables as they are, refuses what is wrong, completes the rest, and says what must be
asked of the
  host;
- `fit` takes the completed sites and what `nginx_facts` answered, and returns what the templates render.
"""

from .host import fit
from .questions import live_files
from .variables import check

__all__ = ["check", "fit", "live_files"]
