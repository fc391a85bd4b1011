from cfx_jax.data.fundus.photograph_files import find_images
from cfx_jax.data.sources.folder_or_zip import FileTree

IMAGE = b"not decoded here"


def test_pictures_are_known_by_their_suffix_or_else_by_their_content(make_folder):
    by_name = [
        f"{number}{suffix}"
        for number, suffix in enumerate((".JFIF", ".jpe", ".bmp", ".webp", ".DIB", ".pjpeg"))
    ]
    files = {
        **dict.fromkeys(by_name, IMAGE),
        "7.bin": b"\x89PNG\r\n\x1a\n",
        "8": b"\xff\xd8\xff\xe0",
        "9.txt": b"BM no",
        "table.csv": b"a,b",
        "IM1": bytes(128) + b"DICM",
        "scan.nii.gz": b"\x1f\x8b",
    }
    images, left_out = find_images(FileTree(make_folder(files)))
    assert [str(image) for image in images] == [*by_name, "7.bin", "8"]
    assert left_out == {".csv files": 1, ".txt files": 1, "DICOM files": 1, "NIfTI files": 1}


def test_hidden_files_and_clutter_are_passed_over(make_folder):
    hidden = [".DS_Store", "a/._1.png", ".git/x.png", "__MACOSX/a/1.png", "a/Thumbs.db"]
    images, left_out = find_images(
        FileTree(make_folder(dict.fromkeys(["a/1.png", *hidden], IMAGE)))
    )
    assert [str(image) for image in images] == ["a/1.png"] and not left_out
