"""The peer of benchmark 4c: what a script without a database does with every file below a directory."""

from __future__ import annotations

import sys
from functools import partial
from hashlib import md5, sha256
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.visualization import ZScaleInterval
from PIL import Image

PREVIEW_PX, THUMBNAIL_PX, QUALITY = 1024, 256, 88


def treat(pictures: Path, path: Path) -> tuple[str, str, int]:
    """Read a file, digest it, write its two pictures; return digests and the number of cards with values."""
    data = path.read_bytes()
    with fits.open(path, memmap=False) as hdus:
        values = dict(hdus[0].header)
        pixels = hdus[0].data
    low, high = ZScaleInterval().get_limits(pixels)
    level = np.clip((pixels - low) / ((high - low) or 1.0), 0, 1)
    image = Image.fromarray((255 * level).astype(np.uint8)[::-1])
    for name, side in (("preview", PREVIEW_PX), ("thumbnail", THUMBNAIL_PX)):
        image.thumbnail((side, side))
        image.save(pictures / f"{path.stem}-{name}.jpg", "JPEG", quality=QUALITY)
    return md5(data, usedforsecurity=False).hexdigest(), sha256(data).hexdigest(), len(values)


def main(files: Path, pictures: Path, processes: int) -> None:
    """Treat every file."""
    pictures.mkdir(exist_ok=True)
    paths, work = sorted(files.rglob("*.fits")), partial(treat, pictures)
    if processes == 1:
        done = [work(path) for path in paths]
    else:
        with Pool(processes) as pool:
            done = pool.map(work, paths, chunksize=100)
    print(len(done))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
