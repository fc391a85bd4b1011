"""``python -m cfx_jax.explain``: the command ``cfx`` where it is not installed."""

import sys

from cfx_jax.explain.command import main

sys.exit(main())
