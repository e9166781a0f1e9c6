"""What the modules of ``library`` share on the side of Ansible; nothing else here knows it."""
