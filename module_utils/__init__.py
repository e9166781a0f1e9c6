"""Where Ansible looks for the code of modules; all of ours is in ``nginx_websocket``."""
