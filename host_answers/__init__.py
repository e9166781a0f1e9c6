"""What hosts answer, on the controller: read with bounds, and cut down to what is declared.

A managed host may be in somebody else's hands. Whatever it sends goes through this package before Ansible, a
playbook or the verification sees it; docs/security.md says what that keeps out.
"""
