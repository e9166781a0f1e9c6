"""The verification suite: hosts judged from outside, as their users see them, and by their own word.

``python -m verify TARGETS.json`` runs it; ``playbooks/verify.yml`` writes the targets.
"""
