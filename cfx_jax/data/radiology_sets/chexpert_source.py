"""CheXpert as a random-access source of two classes."""

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int

from cfx_jax.checks import check_choice
from cfx_jax.data.published.source import StoredSet, check_size
from cfx_jax.data.radiology_sets.chexpert import ABSENT, FINDINGS, NOT_MENTIONED, PRESENT, UNCERTAIN
from cfx_jax.data.sources.decoding import unit_range
from cfx_jax.errors import InputError, import_extra

_UNSURE = -1
_VALUES = {PRESENT: 1, ABSENT: 0, NOT_MENTIONED: 0, UNCERTAIN: _UNSURE}
_READINGS = {"zeros": 0, "ones": 1, "ignore": _UNSURE}  # of what is uncertain


class CheXpert(StoredSet):
    """The frontal chest radiographs of CheXpert, with and without one of its 14 findings.

    The first use reads every file, frontal and lateral, which takes a while; later ones open what
    is stored, whatever the finding. Items are dicts of ``image`` float32 (size, size, 1) in [0, 1];
    ``label`` int, 1 with the finding; ``findings`` int (14,), all of them; ``patient`` and ``name``
    str. Radiographs become squares, without regard to the shape of the file. It can be pickled and
    read by several threads.

    A finding that the report does not mention counts as absent. Uncertain ones are read as Irvin et
    al. (2019) do: as absent ("zeros"), as present ("ones"), or not at all ("ignore"). Singla et al.
    (2020) explain Cardiomegaly at 128 pixels; which views and which reading of uncertain findings
    they took is not published. Patients have several radiographs: split by
    ``data.split(source.labels, {"train": 0.8, "test": 0.2}, seed=0, groups=source.patients)``.

    Args:
        raw_folder: the set as it was downloaded and unpacked, see ``read_chexpert``. None opens a
            set that has been built.
        work_folder: where the prepared images are kept, for all sets and sizes.
        finding: the one that the label tells, out of ``chexpert.FINDINGS``.
        uncertain: how uncertain findings are read. With "ignore", radiographs for which ``finding``
            is uncertain are left out, and the other uncertain entries of ``findings`` are -1.
        views: "frontal", or "all" for the lateral ones too.
        size: side of the images in pixels.
        progress: whether to show a progress bar while images are prepared.

    Attributes:
        class_names: e.g. ("no cardiomegaly", "cardiomegaly").
        labels: of each item.
        findings: of each item, int64 (n, 14), in the order of ``finding_names``.
        finding_names: ``chexpert.FINDINGS``.
        patients, names, parts: of each item; the parts are "train" and "valid".
        left_out: how many radiographs are no items.
        identity: a fingerprint of the set's facts, the options and the size; for caches of results.

    Raises:
        InputError: an option is unknown; the raw folder lacks something that the set has, or
            differs from the one that the set was built from; a radiograph cannot be read; the work
            folder cannot be written; there is no set to open, or it has no such radiograph.
    """

    finding_names = FINDINGS

    def __init__(
        self,
        raw_folder: str | Path | None,
        work_folder: str | Path,
        *,
        finding: str = "Cardiomegaly",
        uncertain: Literal["zeros", "ones", "ignore"] = "ignore",
        views: Literal["frontal", "all"] = "frontal",
        size: int = 128,
        progress: bool = True,
    ) -> None:
        check_choice(finding, FINDINGS, name="finding")
        check_choice(uncertain, tuple(_READINGS), name="uncertain")
        check_choice(views, ("frontal", "all"), name="views")
        check_size(size)
        import_extra("tensorflow_datasets", "storing radiographs")
        from cfx_jax.data.radiology_sets.chexpert_builder import CheXpertRadiographs

        builder = CheXpertRadiographs(data_dir=work_folder, size=size, progress=progress)
        super().__init__("chexpert", builder, raw_folder, size)
        self.identity = hashlib.sha256(
            repr((self.identity, finding, uncertain, views)).encode()
        ).hexdigest()
        self.class_names = (f"no {finding.lower()}", finding.lower())
        findings = _numbers(self._facts("findings"), uncertain)
        labels = findings[:, FINDINGS.index(finding)]
        self._indices = np.flatnonzero(
            (self._facts("frontal") | (views == "all")) & (labels != _UNSURE)
        )
        if not self._indices.size:
            raise InputError(
                f"expected radiographs for which '{finding}' is known, none of {len(labels)} is of"
                f" such a kind: choose "
                "another finding, views='all', or uncertain='zeros' or 'ones'"
            )
        self.labels, self.findings = labels[self._indices], findings[self._indices]
        self.patients, self.names, self.parts = (
            self._facts(key)[self._indices] for key in ("patient", "name", "part")
        )
        self.left_out = len(labels) - len(self._indices)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> dict[str, Any]:
        record = self._records[int(self._indices[index])]
        return {
            "image": unit_range(record["image"]),
            "label": int(self.labels[index]),
            "findings": self.findings[index],
            "patient": str(self.patients[index]),
            "name": record["name"].decode(),
        }


def _numbers(letters: np.ndarray, uncertain: str) -> Int[np.ndarray, "n 14"]:
    """The findings' letters as numbers."""
    values = {**_VALUES, UNCERTAIN: _READINGS[uncertain]}
    table = letters.astype(f"U{len(FINDINGS)}").view("U1").reshape(-1, len(FINDINGS))
    return np.select([table == letter for letter in values], list(values.values())).astype(np.int64)
