"""The steps that turn a candidate into the live release, or leave the host exactly as it was.

Nothing is imported here: Ansible sends modules as source, so a host compiles what it imports each time.
Import from where a thing is: ``deploy.deploy``, ``rollback.rollback``, ``confirm.confirm``,
``standing.standing``, ``validation.validate``, ``instance.find_instance``, and the words from ``model``.
"""
