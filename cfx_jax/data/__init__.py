"""Images with labels: sources, splits, augmentation, and batches for training.

An image is float32 (h, w, c) in [0, 1], a label an int from 0. A source gives one item at a time,
in any order; ``training_batches`` streams batches of a source, ``load_arrays`` reads items into
memory. OpenCV, pydicom, nibabel and grain are imported where they are used.

``data.sets`` holds the published sets, ``data.worlds`` the synthetic ones, and ``data.fundus``
prepares photographs of the eye.
"""

from cfx_jax.data.ct_scan import CTScan as CTScan
from cfx_jax.data.ct_scan import read_ct_scan as read_ct_scan
from cfx_jax.data.dicom import read_dicom as read_dicom
from cfx_jax.data.dicom import read_dicom_frames as read_dicom_frames
from cfx_jax.data.duplicates import first_copies as first_copies
from cfx_jax.data.duplicates import merge_groups as merge_groups
from cfx_jax.data.duplicates import shared_copies as shared_copies
from cfx_jax.data.hounsfield import hounsfield_units as hounsfield_units
from cfx_jax.data.hounsfield import unit_window as unit_window
from cfx_jax.data.image_source import ImageSource as ImageSource
from cfx_jax.data.image_source import check_indices as check_indices
from cfx_jax.data.image_source import labels_of as labels_of
from cfx_jax.data.image_source import load_arrays as load_arrays
from cfx_jax.data.nifti import Volume as Volume
from cfx_jax.data.nifti import read_nifti as read_nifti
from cfx_jax.data.nifti import resample_volume as resample_volume
from cfx_jax.data.nifti import unit_slices as unit_slices
from cfx_jax.data.organ import find_organ as find_organ
from cfx_jax.data.output_bins import bin_counts as bin_counts
from cfx_jax.data.output_bins import calibrated_sample as calibrated_sample
from cfx_jax.data.output_bins import probability_bins as probability_bins
from cfx_jax.data.pipeline import AugmentItem as AugmentItem
from cfx_jax.data.pipeline import BatchIterator as BatchIterator
from cfx_jax.data.pipeline import training_batches as training_batches
from cfx_jax.data.saliency_files import WithSaliency as WithSaliency
from cfx_jax.data.saliency_files import read_saliency as read_saliency
from cfx_jax.data.saliency_files import write_saliency as write_saliency
from cfx_jax.data.saliency_files import write_saliency_of as write_saliency_of
from cfx_jax.data.slice_resizing import resize_labels as resize_labels
from cfx_jax.data.slice_resizing import resize_slices as resize_slices
from cfx_jax.data.slice_resizing import slice_indices as slice_indices
from cfx_jax.data.slice_resizing import to_native_grid as to_native_grid
from cfx_jax.data.sources import ArraySource as ArraySource
from cfx_jax.data.sources import ImageCollection as ImageCollection
from cfx_jax.data.sources import open_images as open_images
from cfx_jax.data.splits import evenly_spread as evenly_spread
from cfx_jax.data.splits import part_names as part_names
from cfx_jax.data.splits import split as split
from cfx_jax.data.splits import split_patients as split_patients
from cfx_jax.data.transforms import Transform as Transform
from cfx_jax.data.transforms import color_jitter as color_jitter
from cfx_jax.data.transforms import compose as compose
from cfx_jax.data.transforms import random_affine as random_affine
from cfx_jax.data.transforms import random_crop as random_crop
from cfx_jax.data.transforms import random_flip as random_flip
from cfx_jax.data.transforms import random_noise as random_noise
from cfx_jax.data.transforms import sometimes as sometimes
from cfx_jax.data.volume_flips import random_volume_flip as random_volume_flip
from cfx_jax.data.volumes_with_saliency import SaliencySource as SaliencySource
from cfx_jax.data.volumes_with_saliency import check_saliency as check_saliency
from cfx_jax.data.worlds import SyntheticBrain as SyntheticBrain
from cfx_jax.data.worlds import SyntheticChest as SyntheticChest
from cfx_jax.data.worlds import SyntheticCT as SyntheticCT
from cfx_jax.data.worlds import SyntheticFaces as SyntheticFaces
from cfx_jax.data.worlds import SyntheticFundus as SyntheticFundus
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
