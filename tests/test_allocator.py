import os
import subprocess
import sys

import pytest

CHILD = """
import resource
import numpy as np
from cfx_jax.allocator import keep_freed_memory

def faults_of_blocks():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        np.ones(2**24, np.uint8)  # 16 MiB, 4,096 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

os_default = faults_of_blocks()
keep_freed_memory()
faults_of_blocks()
print(os_default, faults_of_blocks())
"""


@pytest.mark.skipif(
    not hasattr(os, "confstr") or "CS_GNU_LIBC_VERSION" not in os.confstr_names,
    reason="the C library is not glibc",
)
def test_freed_memory_is_used_again_without_the_system():
    answer = subprocess.run(
        [sys.executable, "-c", CHILD], check=True, capture_output=True, text=True
    )
    returned, kept = map(int, answer.stdout.split())
    assert kept < 100 < returned
