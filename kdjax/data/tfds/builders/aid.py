"""AID, a benchmark of aerial scenes: 10,000 images of 600x600 in 30 classes.

Xia et al., AID: A Benchmark Data Set for Performance Evaluation of Aerial Scene Classification,
arXiv:1608.05167. The authors publish `AID.zip` with `AID/<Class>/<class>_<number>.jpg`.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import tensorflow_datasets as tfds

from kdjax.data.files import archive
from kdjax.system.errors import UserError

CLASSES = """
    Airport BareLand BaseballField Beach Bridge Center Church Commercial DenseResidential Desert
    Farmland Forest Industrial Meadow MediumResidential Mountain Park Parking Playground Pond Port
    RailwayStation Resort River School SparseResidential Square Stadium StorageTanks Viaduct
""".split()  # noqa: SIM905


class Aid(tfds.core.GeneratorBasedBuilder):
    """AID from `AID.zip`, or from the folder `AID` that it unpacks to."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "get AID.zip from https://captain-whu.github.io/AID, put it (or the folder AID that it "
        "unpacks to) into a folder and pass that as --manual_dir=DIR"
    )

    def _info(self) -> Any:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Aerial scenes in 30 classes, 220 to 420 images each.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "label": tfds.features.ClassLabel(names=CLASSES),
                    "filename": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://captain-whu.github.io/AID",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        folder = Path(dl_manager.manual_dir)
        paths = [path for path in (folder / "AID.zip", folder / "AID") if path.exists()]
        if not paths:
            raise AssertionError(f"{folder} has no AID.zip: {self.MANUAL_DOWNLOAD_INSTRUCTIONS}")
        return {"train": self._generate_examples(paths[0])}

    def _generate_examples(self, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        files = [
            name
            for name in archive.listing(path)[0]
            if PurePosixPath(name).suffix.lower() in (".jpg", ".jpeg")
        ]
        classes = {PurePosixPath(name).parent.name for name in files}
        if classes != set(CLASSES):
            differing = ", ".join(sorted(classes ^ set(CLASSES)))
            raise UserError(f"{path} has not AID's 30 classes; too many or missing: {differing}")
        for name, content in archive.contents(path, files):
            place = PurePosixPath(name)
            yield name, {"image": content, "label": place.parent.name, "filename": place.name}
