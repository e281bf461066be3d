"""Makes images small and grey, in place.

    cp -r data/rotate data/rotate_resize
    python -m pose_data.resize_images --data_dir=data/rotate_resize

Grey images of that size are kept, so the same command resumes a stopped run.
"""

import os
import pathlib
import sys
from collections.abc import Iterator

from absl import flags
from PIL import Image

from mine import reporting
from mine.reporting import commands
from mine.reporting.inputs import image_origin
from mine.reporting.inputs.image_reader import ImageError, check_contrast, read_image
from mine.reporting.processes.workers import threads
from mine.reporting.tables import counted
from pose_data import progress, records

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string(
        "data_dir", None, "Folder of images, <class>/<object>/*.png, changed in place."
    )
    flags.DEFINE_integer("image_size", 128, "Width and height to make, pixels.", 1, 4096)
    flags.DEFINE_integer("workers", os.cpu_count(), "Threads; default: the number of cores.", 1)
    flags.mark_flag_as_required("data_dir")


def small_and_grey(
    path: pathlib.Path, image_size: int, square: bool = False, contrast: bool = False
) -> tuple[Image.Image, bool]:
    """Reads an image, `image_size` x `image_size` pixels, 8 bit grey, by Lanczos filtering.

    Args:
        path: of the image, read as :func:`mine.reporting.inputs.image_reader.read_image` does.
        image_size: the side to make, pixels.
        square: whether to refuse other than square images instead of squeezing them.
        contrast: whether to refuse an image of one shade of grey.

    Returns:
        The image, and whether it had to be changed.

    Raises:
        ImageError: the image cannot be read, or is refused.
    """
    image = read_image(path)
    if square and image.width != image.height:
        raise ImageError(f"is {image.width} x {image.height} pixels, not a square")
    if contrast:
        check_contrast(image.convert("L"))
    if image.size == (image_size, image_size) and image.mode == "L":
        return image, False
    return image.resize((image_size, image_size), Image.Resampling.LANCZOS).convert("L"), True


def resize(path: pathlib.Path, image_size: int) -> bool:
    """Makes one PNG file small and grey, see :func:`small_and_grey`.

    Returns:
        Whether it was changed.

    Raises:
        ImageError: the image is damaged.
        OSError: the file cannot be written.
    """
    small, changed = small_and_grey(path, image_size)
    if not changed:
        return False
    info = image_origin.small_info(path, small)
    with reporting.replacing(path) as temporary:
        small.save(temporary, "png", compress_level=records.PNG_LEVEL, pnginfo=info)
    return True


def resize_all(
    paths: list[pathlib.Path], image_size: int, workers: int
) -> Iterator[tuple[pathlib.Path, bool, str | None]]:
    """Resizes files in threads (Pillow works outside Python's lock), going on after a bad one.

    Yields:
        In the order of `paths`: the path, whether it was changed, and why it could not be, or None.

    Raises:
        OSError: a file cannot be written.
    """

    def attempt(path):
        try:
            return path, resize(path, image_size), None
        except ImageError as error:
            return path, False, f"{error}: render it again"

    with threads(workers) as pool:
        yield from pool.map(attempt, paths)


def run(data_dir: pathlib.Path | str, image_size: int, workers: int) -> None:
    """Resizes as the command does; the arguments are its flags.

    Raises:
        SystemExit: with a sentence, if an image failed.
    """
    paths = sorted(pathlib.Path(data_dir).glob("*/*/[!.]*.png"))
    if not paths:
        sys.exit(
            f"Error: Invalid value for --data_dir: expected a folder of <class>/<object>/*.png; "
            f"received {data_dir}; give a copy of <data_dir>/rotate of mujoco_render.py."
        )
    results = resize_all(paths, image_size, workers)
    changed, failed = progress.tally(results, len(paths), "images")
    unchanged = len(paths) - changed - failed
    print(f"{data_dir}: {changed} resized, {unchanged} kept, {failed} failed.")
    if failed:
        sys.exit(
            f"Error: could not read {failed} of {counted(len(paths), 'image')}: see above why; "
            "render what is named there again."
        )


def main() -> None:
    """Resizes all images, and exits with 1 if one failed."""
    run(FLAGS.data_dir, FLAGS.image_size, FLAGS.workers)


def cli() -> None:
    """The command ``pose-resize-images``."""
    define_flags()
    commands.run(main, changed=["data_dir"])


if __name__ == "__main__":
    cli()
