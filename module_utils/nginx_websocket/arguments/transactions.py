"""How the modules that change nginx's files begin and end."""

from __future__ import annotations

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..transaction.site.instance import Instance
from ..transaction.site.model import Outcome, Refused

PLACES = ("binary", "conf_path", "site_dir", "enabled_dir")


def meant_nginx(module: AnsibleModule) -> Instance:
    """The nginx that the module's arguments name, or the one that runs.

    Args:
        module: with the arguments ``binary`` and ``conf_path``, perhaps ``site_dir`` and ``enabled_dir``.

    Returns:
        The nginx; the module fails with the outcome "refused" where there is none, or several.
    """
    # Not where a module only reads or writes the journal: this looks at every process.
    from ..transaction.live.instance import find_instance

    try:
        return find_instance(**{name: module.params[name] for name in PLACES if name in module.params})
    except Refused as refusal:
        module.fail_json(msg=str(refusal), outcome="refused", changed=False)
        raise  # fail_json does not come back


def warn(module: AnsibleModule, outcome: Outcome) -> None:
    """Tell what was found on the way as warnings."""
    for message in [outcome.recovered, *(finding.message for finding in outcome.findings)]:
        if message:
            module.warn(message)


def leave(module: AnsibleModule, outcome: Outcome, result: Dict[str, Any]) -> None:
    """End the module with what a transaction came to.

    Args:
        module: ends here.
        outcome: of the transaction; its message is what a person reads.
        result: what the module returns besides.
    """
    end = module.fail_json if outcome.failed else module.exit_json
    end(msg=outcome.message, **result)
