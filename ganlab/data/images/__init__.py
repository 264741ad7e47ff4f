"""Images to learn from: drawn faces, named sets, and a user's own, all as uint8 tensors of one size.

`open_images(ImageData("folder", path="cats.zip", resolution=128))` gives an `ImageSet`, divided into `Split`s.
A row of `IMAGE_SETS` (`config`) and an opener (`sets`) are a set.
"""

from ganlab.data.images.config import DRAWN, FACE_LABELS, IMAGE_SETS, ImageData, ImageRow
from ganlab.data.images.sets import data_folders, download_images, open_images, pictures
from ganlab.data.images.split import ImageSet, Split

__all__ = [
    "DRAWN",
    "FACE_LABELS",
    "IMAGE_SETS",
    "ImageData",
    "ImageRow",
    "ImageSet",
    "Split",
    "data_folders",
    "download_images",
    "open_images",
    "pictures",
]
