"""``python -m trainers NAME``: the command ``cfx train`` from a clone."""

import sys

from .command import main

sys.exit(main())
