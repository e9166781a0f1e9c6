"""What nginx reads: bytes of configuration → tokens with file, line and offset → tree with includes resolved.

Knows nothing of requests, processes, sockets or Ansible; what nginx does with a request is the room
``behaviour``.  The rules are nginx's own; a differential test runs both against real nginx.

Nothing is imported here: Ansible sends modules as source, so a host compiles what it imports each time.
Import from where a thing is: ``load.load``, ``dump.load_dump``, and the words from ``tree``.
"""
