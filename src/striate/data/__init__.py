"""Sources of images: named sets, folders, archives, tables and arrays, as uint8 splits with labels.

Nothing here imports torch, except the device-resident batches and augmentation where they are used.
"""

from __future__ import annotations

from striate.data.audit_page import audit_page
from striate.data.auditing import Audit, audit
from striate.data.broden import Broden, open_broden
from striate.data.cache import CachedSet, cached_sets, clean_cache
from striate.data.dataset import Dataset, Rejected, Split
from striate.data.decoding import decode_image
from striate.data.findings import AuditFinding
from striate.data.folders import image_files
from striate.data.items import ItemsTaken, items_of
from striate.data.named import NAMES
from striate.data.opening import open_dataset, open_split
from striate.data.preparing import prepare_image
from striate.data.splitting import HoldOut
from striate.data.wanted import UpTo

__all__ = [
    "NAMES",
    "Audit",
    "AuditFinding",
    "Broden",
    "CachedSet",
    "Dataset",
    "HoldOut",
    "ItemsTaken",
    "Rejected",
    "Split",
    "UpTo",
    "audit",
    "audit_page",
    "cached_sets",
    "clean_cache",
    "decode_image",
    "image_files",
    "items_of",
    "open_broden",
    "open_dataset",
    "open_split",
    "prepare_image",
]
