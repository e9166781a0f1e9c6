"""Settings of hypothesis that a run may ask for by name."""

from hypothesis import settings

# --hypothesis-profile=quick: where the same tests run many times over, under one Python after another.
settings.register_profile("quick", max_examples=20, deadline=None)
