"""Archives of pictures, in class folders or not, as the arrays of a bundle. Nothing in them is believed unchecked.

No name of a member becomes a path, and no picture is decoded before its header said
how large it is. Whatever is refused is refused with the way to mend it.
"""

from core.data.folders.arrays import Folders, assembled, of_bundle
from core.data.folders.limits import AUTO, LAYOUT, SIDES
from core.data.folders.tars import is_tar

__all__ = ["AUTO", "LAYOUT", "SIDES", "Folders", "assembled", "is_tar", "of_bundle"]
