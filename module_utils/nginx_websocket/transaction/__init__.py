"""The steps that turn a candidate into the live release, or leave the host exactly as it was.

Nothing is imported here: Ansible sends modules as source, so a host compiles what it imports each time.
Import from where a thing is: ``deploy.deploy``, ``rollback.rollback``, ``confirm.confirm``,
``deployed_state.deployed_state``, ``tree.validation.validate``, ``live.instance.find_instance``, and the
words from ``site.model``.

The verbs are here; what they are made of is in rooms, each of which knows only those before it: ``site``,
``live``, ``tree``, ``history``, ``safety``, ``surroundings``, ``plan``.
"""
