"""What every test shares."""

from hypothesis import settings

# A deadline per example measures the machine, not the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
