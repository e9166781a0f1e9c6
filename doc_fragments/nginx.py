# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of options that several modules have; module_utils/…/arguments/options.py has their types."""

from __future__ import annotations


class ModuleDocFragment:
    """Read by ansible-doc: ansible.cfg names this folder, and a collection has it in plugins/."""

    #: nginx.meant
    MEANT = r"""
options:
  binary:
    description: >-
      Only the nginx with this executable is meant. By default the only one that runs, or is installed.
    type: path
    default: ''
  conf_path:
    description: Only the nginx with this main configuration file is meant.
    type: path
    default: ''
"""

    #: nginx.places
    PLACES = r"""
options:
  site_dir:
    description: >-
      The directory for site files, when the one found is not the one wanted. nginx must include it.
    type: path
    default: ''
  enabled_dir:
    description: The included directory for symlinks to O(site_dir).
    type: path
    default: ''
"""

    #: nginx.journal
    JOURNAL = r"""
options:
  state_dir:
    description: Where lock, journal and backups live.
    type: path
    default: /var/lib/nginx_websocket
  lock_timeout:
    description: Seconds to wait for another transaction on the host, or for certbot.
    type: float
    default: 60.0
  keep:
    description: >-
      How many backups to keep. The one from before the first deployment and the newest always stay; states
      that V(previous) of M(nginx_rollback) does not lead to go first.
    type: int
    default: 10
attributes:
  platform:
    description: Hosts with a Linux C(/proc).
    support: full
    platforms: linux
notes:
  - Needs root.
"""

    #: nginx.transaction
    TRANSACTION = r"""
options:
  proof_timeout:
    description: Seconds that reload and proof may take together.
    type: float
    default: 15.0
  reason:
    description: Why this is done, such as a ticket or a commit. It stands in the list of backups.
    type: str
    default: ''
"""

    #: nginx.verification
    VERIFICATION = r"""
options:
  verification:
    description: >-
      What the verification of this project wants to know of the host itself. A program of its own answers
      that in the same round trip, after all else. The role fills this in; nobody else needs it.
    type: dict
    suboptions:
      starter:
        description: Python that loads the program.
        type: str
        required: true
      program:
        description: The program, as text.
        type: dict
        required: true
      question:
        description: What is asked.
        type: dict
        required: true
      patience:
        description: Seconds that the answer may take.
        type: float
        default: 240.0
"""
