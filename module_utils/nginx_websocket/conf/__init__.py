"""What nginx reads: bytes of configuration → tokens → tree → route of a URL → effective directives.

Knows nothing of processes, sockets or Ansible.  The rules are nginx's own; each function names the
nginx source function it follows, and a differential test runs both against real nginx.

Nothing is imported here: Ansible sends modules as source, so a host compiles what it imports each time.
Import from where a thing is: ``load.load``, ``dump.load_dump``, ``route.route``, ``request.Request``,
``upgrade.Upgrade``, and the words from ``tree``.
"""
