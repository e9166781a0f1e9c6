"""What nginx does with one request, and why: the one place that knows.

From a configuration (room ``conf``) and a request to everything that a user could observe.  Knows nothing of
processes, sockets or Ansible.  The rules are nginx's own; each function names the nginx source function
that it follows, and a differential test runs both against real nginx.

Nothing is imported here: Ansible sends modules as source, so a host compiles what it imports each time.
Import from where a thing is: ``route.route``, ``request.Request``, ``effective.Level``.
"""
