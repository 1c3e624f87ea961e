"""Pictures as GTK applications write and read them.

pixbuf.py make FORMAT WIDTH HEIGHT FILE   saves a picture (png, bmp, tiff, jpeg)
pixbuf.py compare FILE FILE               prints the largest difference of a sample, or their sizes if they differ
"""

import sys

import gi

gi.require_version("GdkPixbuf", "2.0")
from gi.repository import GdkPixbuf, GLib  # noqa: E402


def make(kind, width, height, file):
    rows = bytearray()
    for y in range(height):
        for x in range(width):
            rows += bytes((x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)))
    pixels = GLib.Bytes.new(bytes(rows))
    picture = GdkPixbuf.Pixbuf.new_from_bytes(pixels, GdkPixbuf.Colorspace.RGB, False, 8, width, height, width * 3)
    picture.savev(file, kind, [], [])


def samples(file):
    picture = GdkPixbuf.Pixbuf.new_from_file(file)
    channels, stride, width = picture.get_n_channels(), picture.get_rowstride(), picture.get_width()
    pixels = picture.read_pixel_bytes().get_data()
    rows = (pixels[y * stride : y * stride + width * channels] for y in range(picture.get_height()))
    rgb = [bytes(byte for at, byte in enumerate(row) if at % channels < 3) for row in rows]
    return (width, picture.get_height()), b"".join(rgb)


def compare(first, second):
    (size, one), (other_size, other) = samples(first), samples(second)
    print(f"{size} {other_size}" if size != other_size else max(map(lambda pair: abs(pair[0] - pair[1]), zip(one, other))))


if sys.argv[1] == "make":
    make(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
else:
    compare(sys.argv[2], sys.argv[3])
