"""Every error that stylegan_v raises for a mistake in its input or its surroundings. All of them are FvdBenchErrors.

ModelError
├── ConfigError       a preset, run file or option that does not exist or cannot be served
├── DataError         training data that cannot be used: wrong size, too short, no labels
├── CheckpointError   a file that is no checkpoint, or one of another model
└── TrainingError     training that cannot go on: numbers that are not finite, no memory left
"""

from fvd_bench.errors import FvdBenchError


class ModelError(FvdBenchError):
    """Base of all errors of the reference model."""


class ConfigError(ModelError):
    """A configuration does not exist or contradicts itself."""


class DataError(ModelError):
    """Training data cannot be used."""


class CheckpointError(ModelError):
    """A file is no checkpoint, is damaged, or belongs to another model."""


class TrainingError(ModelError):
    """Training cannot go on. The last checkpoint is usable."""
