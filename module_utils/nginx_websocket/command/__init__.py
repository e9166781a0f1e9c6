"""The one-file command ``nginx-websocket.pyz``: the same engine and the same words, without Ansible."""
