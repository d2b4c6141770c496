"""What holds for every test."""

from hypothesis import settings

# A busy machine is no defect: hypothesis would fail an example for taking longer than 200 ms.
settings.register_profile("striate", deadline=None)
settings.load_profile("striate")
