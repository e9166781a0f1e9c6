"""Cures as byte edits of the user's own files, and the judgement that each must pass before anybody sees it.

``cures.cures()`` gives edits for (configuration, question, fault), the best first; ``judge.judge()`` says of
edits whether the socket then opens and nobody else loses anything.  Nothing here writes a file.
"""
