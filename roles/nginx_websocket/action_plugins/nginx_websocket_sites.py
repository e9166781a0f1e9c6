"""The sites of one host, on the controller: check them, look at their host, deploy them.

Ansible imports this file before it starts a process for each host, so what is loaded here is loaded once for
all hosts.
"""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, Mapping, Optional

# The package that every answer goes through stands in the checkout; Ansible loads plugins by their path.
sys.path.append(str(Path(__file__).resolve().parents[3]))

from ansible import constants as C
from ansible.utils.vars import load_extra_vars

from host_answers import sending
from host_answers.asking import Asking, failed
from host_answers.shapes import clean
from rollout.too_early import in_vain
from verify import suite
from verify.as_user.way import PYTHON, NoWay, find, ports_of, ssh_of
from verify.host_report import along
from verify.secrecy import masked, masks

DOCUMENTATION = r"""
name: nginx_websocket_sites
short_description: Check the role's variables, look at the host, and deploy its sites
description:
  - A part of the role nginx_websocket. Fits the sites to the host, renders them, and asks the host as seldom
    as it can - once where its releases stand already, else twice.
options:
  step:
    description: >-
      V(check) refuses wrong variables, and looks at the host where C(__nginx_websocket_look) says so
      (V(always), or V(where nothing is deployed)); V(deploy) looks at the host and deploys the sites by
      M(nginx_deploy), to be confirmed where they are verified.
    type: str
    choices: [check, deploy]
    required: true
notes:
  - A play says by this variable what it is like. It is no option, because an expression in a task costs some
    milliseconds for each host.
"""

PACKAGE = Path(__file__).resolve().parent.parent / "site_model"
PREFIX = "nginx_websocket_"

#: What became of a host that nothing was sent to; the callback sees no "failed".
REFUSED = "refused"

Result = Dict[str, Any]
Variables = Mapping[str, Any]


def load(package: Path) -> ModuleType:
    """Return a package, loaded from its directory under a name that no other copy of the role shares.

    Ansible loads this file by its path and not as a part of a package, so the package that does the work is
    loaded by its path too.
    """
    name = f"nginx_websocket_site_model_{abs(hash(str(package)))}"
    if name in sys.modules:
        return sys.modules[name]
    specification = importlib.util.spec_from_file_location(
        name, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if specification is None or specification.loader is None:
        raise ImportError(f"{package} is not a package")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


site_model = load(PACKAGE)
site_model.prepare()
sending.prepare(*sending.ROLE)


class ActionModule(Asking):
    """``nginx_websocket_sites: step=…``."""

    STRAIGHT = True

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Result:
        """Do one step; what was refused is a failed result whose message says all of it."""
        refused = super().run(tmp, task_vars)
        if refused:
            return refused
        variables: Dict[str, Any] = task_vars or {}
        _, given = self.validate_argument_spec(
            {"step": {"type": "str", "choices": ["check", "deploy"], "required": True}}
        )
        # Names come from the whole list of variables: a misspelt one is refused, too.
        ours = {
            name: self._templar.template(value)
            for name, value in variables.items()
            if name.startswith(PREFIX)
        }
        # Anew for each step: what a host's steps hand over is kept in the controller's memory until the end.
        plan = site_model.check(ours)
        if plan["errors"]:
            return _refused("\n".join(plan["errors"]))
        everybody = len(variables["ansible_play_hosts_all"])
        vain = in_vain(ours, self._task.get_play(), everybody, load_extra_vars(self._loader))
        if vain:
            return _refused(vain)
        secrets = masks(plan["sites"])
        if given["step"] == "deploy":
            return _without(self._deploy(plan, True, variables), secrets)
        unit = plan["service"]
        checked = {
            "changed": False,
            "prerequisites": bool(plan["settings"]["install"] or unit),
            "install": plan["settings"]["install"],
            "service": unit and {**unit, "content": site_model.render_unit(unit)},
            "_ansible_verbose_override": True,
        }
        if _verifies(plan, variables):
            # What is installed, or becomes a unit, stands before the sites are deployed.
            hindrance = self._hindrance(plan, variables) if checked["prerequisites"] else ""
            if hindrance:
                return _refused(hindrance)
            try:
                checked["way"] = self._way(plan, variables)
            except NoWay as error:
                return _refused(str(error))
        look = variables.get("__nginx_websocket_look", "")
        if look == "always" or (look == "where nothing is deployed" and not _selected(variables, "deploy")):
            return _without({**checked, **self._deploy(plan, False, variables)}, secrets)
        return checked

    def _deploy(self, plan: Mapping[str, Any], really: bool, variables: Variables) -> Result:
        """Look at the host, and deploy if that is really wanted."""
        # Known before the look but for ports and releases, which the host puts in.
        asked = self._question(plan, plan["sites"], {}, variables) if really else None
        facts = self._facts(plan, really, asked, variables)
        if _ended(facts):
            return {**facts, "outcome": REFUSED}
        live = []
        for item in site_model.live_files(plan["sites"], facts):
            read = self.ask("ansible.builtin.slurp", {"src": item["path"]}, variables)
            if _ended(read):
                return {**read, "outcome": REFUSED}
            live.append({**read, "item": item})
        fitted = site_model.fit(plan["sites"], facts, live)
        warnings = [*plan["warnings"], *_texts(facts), *fitted["warnings"]]
        if fitted["errors"]:
            return {**_refused("\n".join(fitted["errors"])), "warnings": _of(variables, warnings)}
        result: Result = {"changed": False}
        if really:
            result = self._transaction(fitted, facts, plan, asked, variables)
            warnings += [*_texts(result), *self._cured(result)]
        result["warnings"] = _of(variables, warnings)
        if not _ended(result):
            # One text, which takes a tenth of the memory.
            result["answering"] = site_model.answering(plan["sites"], facts)
            target = self._target(plan, fitted["sites"], facts["nginx"], result, variables)
            report, whole = result.pop("report", None), result.pop("asked", None)
            if report and whole:
                along.keep(Path(C.DEFAULT_LOCAL_TMP), whole["nonce"], report)
                target["nonce"] = whole["nonce"]
            result["target"] = json.dumps(target)
        return result

    def _question(
        self,
        plan: Mapping[str, Any],
        sites: List[Mapping[str, Any]],
        nginx: Mapping[str, Any],
        variables: Variables,
    ) -> Optional[Result]:
        """What the verification wants to know of the host itself; None where nobody is going to verify."""
        if self._task.check_mode or not _verifies(plan, variables):
            return None
        settings = plan["settings"]
        names = site_model.looked_for(sites) if not nginx else {}
        return along.asked(sites, _which(nginx), settings["state_dir"], settings["verify_timeout"], names)

    def _hindrance(self, plan: Mapping[str, Any], variables: Variables) -> str:
        """Why the verification could not run: a release that nobody can verify would have to be undone."""
        if self._task.check_mode or not _verifies(plan, variables):
            return ""
        return suite.hindrance(Path(C.DEFAULT_LOCAL_TMP))

    def _facts(
        self, plan: Mapping[str, Any], really: bool, asked: Optional[Result], variables: Variables
    ) -> Result:
        questions = {**plan["questions"], **_meant(plan["settings"], "site_dir", "enabled_dir")}
        if not really:
            questions.pop("deployed")
            questions["state_dir"] = plan["settings"]["state_dir"]
        if asked:
            questions["verification"] = along.argument(asked)
        facts = self.ask("nginx_facts", questions, variables)
        missing = [] if _ended(facts) else _unanswered(plan["questions"], facts)
        if missing:
            return failed(f"nginx_facts was asked for {', '.join(missing)}, and does not say.")
        return facts

    def _transaction(
        self,
        fitted: Mapping[str, Any],
        facts: Mapping[str, Any],
        plan: Mapping[str, Any],
        asked: Optional[Result],
        variables: Variables,
    ) -> Result:
        """Deploy the candidates, or find that they stand already."""
        settings, deployed = plan["settings"], facts["deployed"]
        sites = [
            {**one["deploy"], "content": site_model.render_site(one["model"])} for one in fitted["candidates"]
        ]
        releases = {site["name"]: site_model.release_id(site["content"]) for site in sites}
        if deployed and deployed["releases"] == releases:
            notes = [finding["message"] for finding in deployed["findings"]]
            own = {"report": facts["report"], "asked": asked}
            return _accepted({**deployed, **own, "msg": "", "warnings": notes}, settings["accept"])
        hindrance = self._hindrance(plan, variables)
        if hindrance:
            return _refused(hindrance)
        asked = self._question(plan, fitted["sites"], facts["nginx"], variables)
        window = settings["confirm_window"]
        # Only a play that verifies can confirm.
        confirmed = bool(window) and _verifies(plan, variables)
        state = {
            "state_dir": settings["state_dir"],
            "keep": settings["keep_backups"],
            "lock_timeout": settings["lock_timeout"],
        }
        arguments = {
            **_meant(settings, "site_dir", "enabled_dir"),
            **state,
            "sites": sites,
            "on_drift": settings["on_drift"],
            "on_takeover": settings["on_takeover"],
            "on_loss": settings["on_loss"],
            "accept_losses": settings["accept_losses"],
            "proof_timeout": settings["proof_timeout"],
            "max_sockets": settings["max_sockets"],
            "start": settings["start"],
            "reason": settings["reason"],
            "confirm_window": window + settings["soak"] if confirmed else 0,
            **({"verification": along.argument(asked)} if asked else {}),
        }
        result = _accepted(self.ask("nginx_deploy", arguments, variables), settings["accept"])
        result["asked"] = asked
        if result.get("confirm_by"):
            result["confirm"] = {**state, "backup": result["backup"]}
        return result

    def _cured(self, result: Result) -> List[str]:
        """Why WebSockets could not open until now."""
        gone = "The candidate cures that." if self._task.check_mode else "That is gone."
        return [
            f"Until now, WebSockets could not open: {one['message']}. {gone}"
            for one in result.get("cured", [])
        ]

    def _target(
        self,
        plan: Mapping[str, Any],
        sites: List[Mapping[str, Any]],
        nginx: Mapping[str, Any],
        result: Result,
        variables: Variables,
    ) -> Result:
        """How this host is reached and what it must serve, as verify/ wants it."""
        # What Ansible has just used, whether the inventory names it or Ansible has looked for it.
        python = (self._used_interpreter or "").lstrip("#!").strip()
        way = (variables.get("__nginx_websocket_checked") or {}).get("way") or self._way(plan, variables)
        return {
            "name": str(variables["inventory_hostname"]),
            "address": way["address"],
            "through": [
                word
                for part in way["through"]
                for word in (shlex.split(python) if part == PYTHON else [part])
            ],
            "told": way["told"],
            "accept": plan["settings"]["accept"],
            "direct": not plan["settings"]["verify_address"],
            "local": self._connection.transport == "local",
            "connection": self._ssh(),
            "interpreter": python,
            "nginx": _which(nginx),
            "state_dir": plan["settings"]["state_dir"],
            "sites": sites,
            "releases": result.get("releases", {}),
            "kept": _kept(plan, sites, result),
        }

    def _ssh(self) -> Optional[Result]:
        return ssh_of(self._connection) if self._connection.transport == "ssh" else None

    def _way(self, plan: Mapping[str, Any], variables: Variables) -> Result:
        """How the sites will be looked at.

        Raises:
            NoWay: not at all.
        """
        ssh = self._ssh()
        dialled = ssh["address"] if ssh else self._dialled(variables)
        return find(
            self._connection.transport,
            str(dialled),
            ports_of(plan["sites"]),
            plan["settings"]["verify_timeout"],
            wished=plan["settings"]["verify_address"] or "",
            ssh=ssh,
        ).as_data()

    def _dialled(self, variables: Variables) -> object:
        named = variables.get("ansible_host") or variables["inventory_hostname"]
        return self._templar.template(named)


def _meant(settings: Mapping[str, Any], *more: str) -> Dict[str, str]:
    """Which nginx is meant, where the user has said so."""
    return {name: settings[name] for name in ("binary", "conf_path", *more) if settings[name]}


def _which(nginx: Mapping[str, Any]) -> Dict[str, str]:
    """Which nginx was found, as the verification asks for it."""
    return {key: nginx.get(key) or "" for key in ("binary", "conf_path", "unit")}


def _kept(plan: Mapping[str, Any], sites: List[Mapping[str, Any]], result: Result) -> List[str]:
    """The sites that a deployment left as somebody had edited them by hand."""
    if plan["settings"]["on_drift"] != "keep" or "releases" not in result:
        return []
    return [site["name"] for site in sites if site["name"] not in result["releases"]]


def _accepted(result: Result, codes: List[str]) -> Result:
    """Return a transaction's result without the findings that the user has accepted by name."""
    gone = {one["message"] for one in result.get("findings", []) if one["code"] in codes}
    if not gone:
        return result
    left = {
        "findings": [one for one in result["findings"] if one["code"] not in codes],
        "warnings": [text for text in _texts(result) if text not in gone],
    }
    return {**result, **left}


def _without(result: Result, secrets: Mapping[str, str]) -> Result:
    """Return a result without the secret paths of routes; only what the suite must ask for keeps them."""
    if not secrets:
        return result
    kept = {name: result[name] for name in ("target",) if name in result}
    return {**masked(result, secrets), **kept}


def _texts(result: Result) -> List[str]:
    """A module's warnings."""
    return list(result.get("warnings", []))


def _unanswered(questions: Mapping[str, Any], facts: Result) -> List[str]:
    """What a host was asked for and left out."""
    names = [wish["name"] for wish in questions["backends"]]
    missing = [f"backend {name}" for name in names if name not in facts["backends"]]
    if len(facts["certificates"]) != len(questions["certificates"]):
        missing.append(f"{len(questions['certificates'])} certificates")
    return missing


def _of(variables: Variables, warnings: List[str]) -> List[str]:
    """Warnings with the host's name: Ansible shows them without, and the same one of two hosts once."""
    return [clean(f"{variables['inventory_hostname']}: {warning}") for warning in warnings]


def _verifies(plan: Mapping[str, Any], variables: Variables) -> bool:
    """Whether this run verifies what it deploys."""
    return bool(plan["settings"]["verify"]) and _selected(variables, "verify")


def _selected(variables: Variables, tag: str) -> bool:
    """Whether tasks of a tag run: ansible-playbook's --tags and --skip-tags."""
    own = {"all", "tagged", tag}
    return not own.isdisjoint(variables["ansible_run_tags"]) and own.isdisjoint(
        variables["ansible_skip_tags"]
    )


def _ended(result: Result) -> bool:
    return bool(result.get("failed") or result.get("unreachable"))


def _refused(message: str) -> Result:
    return {**failed(message), "outcome": REFUSED}
