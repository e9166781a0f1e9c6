"""The user's own file mended in place with the fewest bytes, and with the transaction's safety.

``mending`` chooses the edits on a copy in memory, ``owners`` says which files may be touched, ``fix`` is the
verb.
"""
