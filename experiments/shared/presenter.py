"""The former name of ``experiments.shared.report``, until every paper uses the new one."""

from cfx_jax.report import Report
from experiments.shared.report import Figure as Figure
from experiments.shared.report import PaperReport
from experiments.shared.report import Table as Table


class Presenter(PaperReport):
    """A paper's report whose page is reached by ``report``."""

    @property
    def report(self) -> Report:
        """The page."""
        return self._page
