"""The study of one explained label: its classifier, its explanations, and their quality."""

from experiments.progressive_exaggeration.label_study.classifiers import EXPLAINED as EXPLAINED
from experiments.progressive_exaggeration.label_study.classifiers import ORACLE as ORACLE
from experiments.progressive_exaggeration.label_study.classifiers import Network as Network
from experiments.progressive_exaggeration.label_study.classifiers import Subject as Subject
from experiments.progressive_exaggeration.label_study.classifiers import normalised as normalised
from experiments.progressive_exaggeration.label_study.classifiers import subject_of as subject_of
from experiments.progressive_exaggeration.label_study.classifiers import (
    train_network as train_network,
)
from experiments.progressive_exaggeration.label_study.explanation_quality import (
    Measures as Measures,
)
from experiments.progressive_exaggeration.label_study.explanation_quality import (
    correlation as correlation,
)
from experiments.progressive_exaggeration.label_study.explanation_quality import (
    correlation_by_query as correlation_by_query,
)
from experiments.progressive_exaggeration.label_study.explanation_quality import measure as measure
from experiments.progressive_exaggeration.label_study.explanation_quality import (
    measure_cells as measure_cells,
)
from experiments.progressive_exaggeration.label_study.explanation_quality import (
    measure_columns as measure_columns,
)
from experiments.progressive_exaggeration.label_study.explanation_quality import (
    own_psnr as own_psnr,
)
from experiments.progressive_exaggeration.label_study.explanation_quality import ranges as ranges
from experiments.progressive_exaggeration.label_study.explanation_quality import remarks as remarks
from experiments.progressive_exaggeration.label_study.explanation_quality import (
    share_of as share_of,
)
from experiments.progressive_exaggeration.label_study.explanations import OURS as OURS
from experiments.progressive_exaggeration.label_study.explanations import XGEM as XGEM
from experiments.progressive_exaggeration.label_study.explanations import Explainer as Explainer
from experiments.progressive_exaggeration.label_study.explanations import Sweeps as Sweeps
from experiments.progressive_exaggeration.label_study.explanations import differences as differences
from experiments.progressive_exaggeration.label_study.explanations import (
    further_explainer as further_explainer,
)
from experiments.progressive_exaggeration.label_study.explanations import seen_by as seen_by
from experiments.progressive_exaggeration.label_study.explanations import spread as spread
from experiments.progressive_exaggeration.label_study.explanations import sweep as sweep
from experiments.progressive_exaggeration.label_study.explanations import (
    train_explainer as train_explainer,
)
from experiments.progressive_exaggeration.label_study.study import OVER_TRAININGS as OVER_TRAININGS
from experiments.progressive_exaggeration.label_study.study import LabelStudy as LabelStudy
from experiments.progressive_exaggeration.label_study.study import (
    explained_label as explained_label,
)
from experiments.progressive_exaggeration.label_study.study import study_label as study_label
