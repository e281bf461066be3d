"""All 73 PASCAL3D+ models at hand: read, rendered, seen."""

import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from pose_data import gl_backend, rendering

ARCHIVE = pathlib.Path(__file__).parents[2] / "shared/data/pascal3d_cad.tar.xz"

ROUND = {"diningtable/06", *(f"bottle/{i:02d}" for i in range(1, 9))}


@pytest.mark.slow
def test_every_real_model_renders(tmp_path):
    if not ARCHIVE.exists():
        pytest.skip("the PASCAL3D+ CAD models are not there: ../shared/data/pascal3d_cad.tar.xz")
    try:
        gl_backend.choose()
    except gl_backend.GlError as error:
        pytest.skip(str(error))
    shutil.unpack_archive(ARCHIVE, tmp_path)
    settings = rendering.Settings(num_images=3, image_size=128)
    results = rendering.render_dataset(
        tmp_path / "CAD", tmp_path / "out", settings, skip_classes=[]
    )
    assert len(results) == 73
    assert [r.name for r in results if r.failure] == []
    for result in results:
        paths = sorted((tmp_path / "out/rotate" / result.name).glob("*.png"))
        images = np.array([np.array(Image.open(path)) for path in paths])
        assert images.shape == (3, 128, 128)
        assert images.max() > 150, f"{result.name}: nothing bright on the table"
        if result.name not in ROUND:
            assert np.ptp(images, axis=0).max() > 50, f"{result.name} looks alike from all sides"
