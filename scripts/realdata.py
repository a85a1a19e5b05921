# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "numpy==2.4.6",
#   "pillow==13.0.0",
#   "scikit-image==0.26.0",
#   "scikit-learn==1.9.1",
#   "scipy==1.17.1",
# ]
# ///
"""Make the data behind the real cases of the fixtures: fixtures/generate/real/*.png and *.csv.

usage: python scripts/realdata.py [directory]

The files are committed; they, not this script, are what the golden files are made from. The script says how
they came about and remakes them, byte for byte with the versions above on x86-64 Linux. Everything comes from
the wheels of scikit-image and scikit-learn, nothing is downloaded. Sources and licenses are in the README.md
beside the files.

Numbers in the CSV files are exact in bfloat16: they are rounded to 8 significant bits, ties to even, and
printed as the shortest decimal that reads back as the same float64.
"""

import csv
import hashlib
import io
import os
import pathlib
import sys
import warnings

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from skimage import data, filters
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

DIRECTORY = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "generate" / "real"

# SHA-256 of shape and pixels, so that a changed photograph is noticed.
PHOTOGRAPHS = {
    "astronaut": "7605af19ba2b975845037d479d9429d3fbc334ff78c7b51f67f112d50f85ed65",
    "camera": "4c25d57d0fcec8b28b0931b30543360fe332ee044bb5f3d461cc6325af018ed9",
    "chelsea": "2a48da897e30584d1ae09abf8802730963e97735ab7f4ccede25b412ab11e5dd",
    "coffee": "013a8175a6f60538e29aa8bee676f3e4b4c9a4388defc9a81368b20fc7b3fe9c",
}

QUALITIES = 10, 30, 50, 75, 95

# Crops: left, top, width, height. None is aligned with the 8x8 blocks of JPEG, so block edges cross them.
CROPS = {
    "astronaut_flag": ("astronaut", 37, 45, 32, 32),  # a star: saturated blue, sharp edges
    "astronaut_smile": ("astronaut", 203, 133, 40, 24),  # skin, teeth: soft shading beside sharp edges
    "camera_face": ("camera", 227, 131, 48, 48),  # face and camera: edges in all directions, bright sky
    "camera_grass": ("camera", 421, 331, 48, 48),  # grass: fine texture that JPEG removes
    "camera_sky": ("camera", 19, 21, 40, 24),  # sky: flat, a few gray levels
    "chelsea_eye": ("chelsea", 155, 82, 32, 32),  # iris, pupil and highlight
    "chelsea_fur": ("chelsea", 237, 27, 40, 24),  # striped fur: directed texture
    "coffee_rim": ("coffee", 191, 61, 32, 32),  # rim of the cup: flat porcelain and strong edges
    "coffee_spoon": ("coffee", 341, 253, 32, 32),  # reflections in the spoon: highlights beside black
}

# Boxes x1, y1, x2, y2 in pixels, (0, 0) the upper left corner of the photograph, x2 and y2 past the last pixel.
# Each was drawn by hand twice: first at a glance, on the photograph as it is, then carefully, on a grid at twice
# the size. Left and right are those of the viewer.
OBJECTS = [
    # photograph, object, careful, at a glance
    ("coffee", "cup", (173, 18, 409, 307), (172, 18, 408, 308)),
    ("coffee", "coffee", (204, 95, 371, 194), (204, 95, 370, 193)),
    ("coffee", "saucer", (77, 70, 479, 390), (77, 70, 480, 390)),
    ("coffee", "spoon", (326, 67, 424, 326), (326, 67, 424, 326)),
    ("chelsea", "left eye", (134, 84, 206, 149), (136, 85, 206, 146)),
    ("chelsea", "right eye", (294, 110, 344, 164), (295, 110, 342, 163)),
    ("chelsea", "left pupil", (163, 92, 185, 129), (162, 92, 185, 129)),
    ("chelsea", "nose", (238, 226, 292, 262), (238, 226, 292, 264)),
    ("astronaut", "face", (174, 78, 278, 190), (176, 76, 274, 188)),
    ("astronaut", "hair", (153, 15, 302, 131), (153, 15, 301, 127)),
    ("astronaut", "mouth", (204, 139, 244, 156), (205, 139, 243, 152)),
    ("astronaut", "collar", (112, 147, 305, 295), (112, 148, 305, 294)),
    ("astronaut", "patch", (134, 348, 208, 423), (134, 348, 209, 423)),
    ("astronaut", "name tag", (278, 339, 330, 378), (278, 339, 330, 377)),
    ("astronaut", "shuttle", (354, 0, 472, 291), (355, 0, 470, 290)),
    ("astronaut", "helmet", (276, 343, 512, 512), (278, 344, 512, 512)),
    ("camera", "man", (0, 62, 332, 512), (0, 63, 331, 512)),
    ("camera", "head", (161, 62, 271, 198), (159, 63, 271, 195)),
    ("camera", "camera", (254, 139, 325, 187), (255, 138, 326, 188)),
    ("camera", "tower", (412, 117, 432, 195), (411, 117, 433, 194)),
]

# Outlines of the parts of the coffee photograph, drawn by hand: class, kind, points. Later ones cover earlier ones.
COFFEE_PARTS = "table", "saucer", "cup", "spoon"
COFFEE_OUTLINES = [
    (1, "polygon", [
        (180, 72), (150, 91), (120, 118), (100, 142), (85, 172), (78, 205), (78, 235), (85, 265), (97, 293), (120, 324),
        (150, 350), (180, 367), (220, 381), (270, 389), (300, 390), (340, 386), (380, 375), (410, 358), (440, 332),
        (462, 300), (474, 268), (479, 235), (478, 205), (470, 172), (455, 145), (440, 127), (418, 108), (300, 60),
    ]),
    (2, "polygon", [
        (173, 113), (178, 160), (190, 200), (205, 225), (218, 235), (200, 262), (195, 285), (203, 303), (220, 308),
        (235, 295), (250, 283), (285, 285), (320, 275), (345, 250), (365, 235), (380, 215), (395, 180), (408, 113),
    ]),
    (2, "ellipse", [(173, 18), (409, 208)]),
    (3, "polygon", [
        (397, 72), (410, 67), (424, 72), (420, 92), (395, 190), (386, 238), (372, 238), (385, 200), (400, 165),
        (409, 115),
    ]),
    (3, "ellipse", [(326, 237), (406, 326)]),
]
IGNORED = 255

# Windows of the camera photograph, 64x64 pixels: left, top.
CAMERA_WINDOWS = [(120, 60), (220, 150), (260, 290), (330, 20)]  # shoulder and hair, face and camera, tripod, sky


def bfloat16(x):
    """x rounded to 8 significant bits, ties to even; the results here are all in the normal range."""
    mantissa, exponent = np.frexp(np.asarray(x, dtype=np.float64))
    return np.ldexp(np.rint(mantissa * 256), exponent - 8)


def write(path, content):
    temporary = path.with_name("." + path.name)
    temporary.write_bytes(content)
    os.replace(temporary, path)


def write_table(path, header, rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([x if isinstance(x, str) else repr(float(x)).removesuffix(".0") for x in row])
    write(path, text.getvalue().encode())


def write_png(path, pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", optimize=True)
    write(path, content.getvalue())


def photograph(name):
    pixels = getattr(data, name)()
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    if digest != PHOTOGRAPHS[name]:
        sys.exit(f"photograph {name}: pixels have SHA-256 {digest}, want {PHOTOGRAPHS[name]}")
    return pixels


def compressed(pixels, quality):
    """The photograph after JPEG: baseline, chroma at half resolution where there is color, Pillow's tables."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(content))


def crops(directory):
    for name, (source, left, top, width, height) in CROPS.items():
        pixels = photograph(source)
        window = np.s_[top : top + height, left : left + width]
        write_png(directory / f"{name}.png", pixels[window])
        for quality in QUALITIES:
            write_png(directory / f"{name}_q{quality}.png", compressed(pixels, quality)[window])


def detected(pixels, box):
    """The object that two mean colors find: inside the middle half of the box, outside a frame around it.

    Every pixel of the window (the box enlarged by a quarter on each side) belongs to the nearer color; the answer
    bounds the largest connected region of the inner color.
    """
    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = box
    w, h = x2 - x1, y2 - y1
    left, right = max(0, x1 - w // 4), min(width, x2 + w // 4)
    top, bottom = max(0, y1 - h // 4), min(height, y2 + h // 4)
    window = pixels[top:bottom, left:right].reshape(bottom - top, right - left, -1).astype(np.float64)
    y, x = np.mgrid[top:bottom, left:right]
    outside = (x < x1) | (x >= x2) | (y < y1) | (y >= y2)
    middle = (x >= x1 + w // 4) & (x < x2 - w // 4) & (y >= y1 + h // 4) & (y < y2 - h // 4)
    distance = [((window - window[part].mean(axis=0)) ** 2).sum(axis=2) for part in (middle, outside)]
    regions, n = ndimage.label(distance[0] < distance[1])
    largest = 1 + np.argmax(np.bincount(regions.ravel(), minlength=n + 1)[1:])
    rows, columns = ndimage.find_objects(regions)[largest - 1]
    return left + columns.start, top + rows.start, left + columns.stop, top + rows.stop


def boxes(directory):
    kinds = "", "glance_", "coarse_", "detected_"
    header = ["photograph", "object"] + [kind + side for kind in kinds for side in ("x1", "y1", "x2", "y2")]
    rows = []
    for source, name, careful, glance in OBJECTS:
        coarse = [c // 8 * 8 + 4 for c in careful]  # as from a feature map of stride 8: the middle of its cell
        found = detected(photograph(source), careful)
        rows.append([source, name, *bfloat16([*careful, *glance, *coarse, *found])])
    write_table(directory / "boxes.csv", header, rows)


def digits(directory):
    """A small network for digits: its scores, and its last hidden layer for two views of some digits."""
    images, labels = load_digits(return_X_y=True)
    images = images / 16
    train, test = np.s_[:898], np.s_[898:]
    passes = 40  # on purpose not to convergence: a good network makes too few mistakes
    network = MLPClassifier(
        (32, 16), "tanh", alpha=1e-3, batch_size=64, max_iter=passes, n_iter_no_change=passes, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(images[train], labels[train])
    (w1, w2, w3), (b1, b2, b3) = network.coefs_, network.intercepts_

    def hidden(x):
        return np.tanh(np.tanh(x @ w1 + b1) @ w2 + b2)

    logits = bfloat16(hidden(images[test]) @ w3 + b3)
    labels = labels[test]
    wrong = np.flatnonzero(logits.argmax(axis=1) != labels)
    chosen = np.concatenate([np.arange(56), wrong[wrong >= 56][:8]])
    kept = np.isin(chosen, wrong).sum()
    print(f"digits: {len(wrong)} of {len(labels)} test digits wrong, {kept} among the {len(chosen)} stored")
    write_table(
        directory / "digits_logits.csv",
        ["digit"] + [f"logit_{c}" for c in range(10)],
        [[labels[i], *logits[i]] for i in chosen],
    )

    random = np.random.default_rng(0)
    rows = []
    for view in range(2):
        for i in range(16):
            image = images[test][i].reshape(8, 8)
            image = np.roll(image, random.integers(-1, 2, size=2), axis=(0, 1))
            image = np.clip(image + random.integers(-1, 2, size=image.shape) / 16, 0, 1)
            rows.append([labels[i], view, *bfloat16(hidden(image.ravel()))])
    write_table(directory / "digits_views.csv", ["digit", "view"] + [f"hidden_{k}" for k in range(16)], rows)


def cells(pixels, size, left=0, top=0):
    """The photograph cut into cells of size x size pixels: [rows, columns, size*size, channels]."""
    height, width = (pixels.shape[0] - top) // size, (pixels.shape[1] - left) // size
    pixels = pixels[top : top + height * size, left : left + width * size].reshape(height, size, width, size, -1)
    return pixels.swapaxes(1, 2).reshape(height, width, size * size, -1)


def coffee_parts(directory):
    """Table, saucer, cup and spoon on a grid of 20 pixels, and the scores of a classifier that sees color only."""
    pixels = photograph("coffee")
    outlines = Image.new("L", (pixels.shape[1], pixels.shape[0]), 0)
    draw = ImageDraw.Draw(outlines)
    for part, kind, points in COFFEE_OUTLINES:
        getattr(draw, kind)(points, fill=part)
    parts = np.asarray(outlines)

    def grid(left, top):
        window = cells(pixels / 256, 20, left, top)
        share = np.stack([(cells(parts, 20, left, top)[..., 0] == c).mean(axis=2) for c in range(4)], axis=2)
        label = np.where(share.max(axis=2) > 5 / 8, share.argmax(axis=2), IGNORED)
        features = np.concatenate([window.mean(axis=2), window.std(axis=2)], axis=2)
        return features.reshape(-1, 6), label

    # Trained on the grid that is shifted by half a cell.
    features, label = grid(10, 10)
    clear = label.ravel() != IGNORED
    model = LogisticRegression(C=100, solver="newton-cg", tol=1e-10).fit(features[clear], label.ravel()[clear])
    features, label = grid(0, 0)
    logits = bfloat16(model.decision_function(features)).reshape(*label.shape, 4)
    clear = label != IGNORED
    right = (logits.argmax(axis=2) == label)[clear].mean()
    print(f"coffee parts: {label.shape}, {(~clear).sum()} cells ignored, {right:.3f} of the others right")
    write_table(
        directory / "coffee_parts.csv",
        ["row", "column", "part"] + [f"logit_{part}" for part in COFFEE_PARTS],
        [[r, c, label[r, c], *logits[r, c]] for r, c in np.ndindex(label.shape)],
    )


def camera_figure(directory):
    """The dark figure in four windows of the camera photograph at a quarter of its size, and its prediction.

    The mask is Otsu's threshold of the photograph. The prediction is a logistic regression on the 3x3 neighborhood
    in the JPEG version of quality 10, trained on everything outside the windows.
    """
    pixels = photograph("camera")
    share = (cells(pixels, 4)[..., 0] < filters.threshold_otsu(pixels)).mean(axis=2)
    small = cells(compressed(pixels, 10) / 256, 4).mean(axis=2)[..., 0]
    padded = np.pad(small, 1, mode="edge")
    neighbors = np.stack([padded[r : r + 128, c : c + 128] for r in range(3) for c in range(3)], axis=2)
    outside = np.ones_like(share, dtype=bool)
    for left, top in CAMERA_WINDOWS:
        outside[top // 4 : top // 4 + 16, left // 4 : left // 4 + 16] = False
    model = LogisticRegression(C=1, solver="newton-cg", tol=1e-10).fit(neighbors[outside], share[outside] > 1 / 2)
    logits = bfloat16(model.decision_function(neighbors.reshape(-1, 9)).reshape(share.shape))
    rows = []
    for n, (left, top) in enumerate(CAMERA_WINDOWS):
        for r, c in np.ndindex(16, 16):
            i = top // 4 + r, left // 4 + c
            rows.append([n, r, c, share[i] > 1 / 2, share[i], logits[i], bfloat16(1 / (1 + np.exp(-logits[i])))])
    for window in np.array(rows).reshape(4, 256, 7):
        wrong = ((window[:, 5] > 0) != window[:, 3]).sum()
        print(f"camera figure: {window[:, 3].sum():.0f} of 256 cells in the mask, {wrong} wrong")
    write_table(
        directory / "camera_figure.csv",
        ["window", "row", "column", "mask", "share", "logit", "probability"],
        rows,
    )


def main():
    directory = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    crops(directory)
    boxes(directory)
    digits(directory)
    coffee_parts(directory)
    camera_figure(directory)


if __name__ == "__main__":
    main()
