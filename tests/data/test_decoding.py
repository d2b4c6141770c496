"""Decoding: every colour mode, every orientation, every format, and whatever hostile files hold."""

import io
import threading
import time
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from striate.core.errors import DataError
from striate.data import decode_image, decoding
from striate.data.decoding import measure, quiet_pillow
from striate.data.pictures import place


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def noise(generator, height=9, width=13, channels=3):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return generator.integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})]
)
def test_lossless_colour_comes_back_as_it_was(generator, kind, options):
    pixels = noise(generator)
    decoded = decode_image(encoded(Image.fromarray(pixels), kind, **options))
    np.testing.assert_array_equal(decoded, pixels.transpose(2, 0, 1))
    assert decoded.dtype == np.uint8


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
def test_lossless_grey_stays_one_channel_and_can_become_three(generator, kind):
    pixels = noise(generator, channels=1)
    file = encoded(Image.fromarray(pixels), kind)
    np.testing.assert_array_equal(decode_image(file), pixels[None])
    np.testing.assert_array_equal(decode_image(file, channels=3), np.stack([pixels] * 3))


def test_jpeg_is_what_pillow_decodes(generator):
    file = encoded(Image.fromarray(noise(generator)), "JPEG")
    np.testing.assert_array_equal(decode_image(file), np.asarray(Image.open(file)).transpose(2, 0, 1))


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_sixteen_bits_are_scaled_by_257(dtype):
    values = np.array([[0, 257, 65535, 32768]], np.uint16).repeat(3, 0)
    mode = "I;16" if dtype == "<u2" else "I;16B"
    image = Image.frombytes(mode, (4, 3), values.astype(dtype).tobytes())
    for kind in ("PNG", "TIFF") if dtype == "<u2" else ("TIFF",):
        assert decode_image(encoded(image, kind))[0, 0].tolist() == [0, 1, 255, 128]


def test_every_value_of_sixteen_bits_is_rounded_to_the_nearest():
    values = np.arange(260 * 256).reshape(260, 256) % 65536
    nearest = np.rint(values / 257)
    file = encoded(Image.fromarray(values.astype(np.uint16)))
    np.testing.assert_array_equal(decode_image(file)[0], nearest)
    file = encoded(Image.fromarray(values.astype(np.int32)), "TIFF")
    np.testing.assert_array_equal(decode_image(file)[0], nearest)
    shares = (values / 65535).astype(np.float32)
    file = encoded(Image.fromarray(shares), "TIFF")
    np.testing.assert_array_equal(decode_image(file)[0], np.rint(shares / np.float64(1 / 255)))


def test_scaling_sixteen_bits_takes_little_memory():
    image = Image.fromarray(np.full((2000, 2000), 50_000, np.uint16))
    tracemalloc.start()
    try:
        place(image, None, 1, "pad")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2000 * 2000  # less than the values as float64


@pytest.mark.parametrize(("most", "together"), [(50, 1), (decoding.LARGE_PIXELS, 4)])
def test_large_images_are_decoded_one_at_a_time(monkeypatch, generator, most, together):
    content = encoded(Image.fromarray(noise(generator))).getvalue()
    running, seen = [], []

    def watched(*arguments):
        running.append(1)
        deadline = time.monotonic() + 0.1
        while time.monotonic() < deadline and len(running) < 4:
            time.sleep(0.001)
        seen.append(len(running))
        try:
            return place(*arguments)
        finally:
            time.sleep(0.02)
            running.pop()

    monkeypatch.setattr(decoding, "LARGE_PIXELS", most)
    monkeypatch.setattr(decoding, "place", watched)
    threads = [threading.Thread(target=decode_image, args=(io.BytesIO(content),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert max(seen) == together


def test_32_bit_and_float_values_are_read_where_their_range_says_how():
    assert decode_image(encoded(Image.new("I", (2, 2), 65535), "TIFF"))[0, 0].tolist() == [255, 255]
    assert decode_image(encoded(Image.new("I", (2, 2), 200), "TIFF"))[0, 0].tolist() == [200, 200]
    assert decode_image(encoded(Image.new("F", (2, 2), 0.5), "TIFF"))[0, 0].tolist() == [128, 128]
    assert decode_image(encoded(Image.new("F", (2, 2), 99.6), "TIFF"))[0, 0].tolist() == [100, 100]
    for mode, value in (("I", 70_000), ("I", -1), ("F", 256.5), ("F", float("nan"))):
        with pytest.raises(DataError, match="has values from"):
            decode_image(encoded(Image.new(mode, (2, 2), value), "TIFF"))


def test_one_bit_and_palettes(generator):
    bits = generator.integers(0, 2, (5, 7)).astype(bool)
    np.testing.assert_array_equal(decode_image(encoded(Image.fromarray(bits)))[0], bits * 255)
    colours = Image.fromarray(noise(generator)).quantize(16)
    expected = np.asarray(colours.convert("RGB")).transpose(2, 0, 1)
    np.testing.assert_array_equal(decode_image(encoded(colours)), expected)
    greys = Image.fromarray(noise(generator, channels=1) // 32 * 32).convert("P")
    assert decode_image(encoded(greys)).shape == (1, 9, 13)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_over_white(mode):
    bands = len(mode)
    pixels = np.zeros((1, 3, bands), np.uint8)
    pixels[0, :, -1] = [0, 128, 255]
    decoded = decode_image(encoded(Image.fromarray(pixels, mode)))
    assert decoded.shape[0] == (3 if mode == "RGBA" else 1)
    for channel in decoded:
        assert channel[0].tolist() == [255, 127, 0]


def test_a_transparent_palette_entry_and_a_transparent_grey_are_white():
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    decoded = decode_image(encoded(palette, transparency=0))
    assert decoded[:, 0, 0].tolist() == [255, 255, 255]
    assert decoded[:, 0, 1].tolist() == [0, 0, 255]
    grey = encoded(Image.fromarray(np.array([[7, 9]], np.uint8)), transparency=7)
    assert decode_image(grey)[0, 0].tolist() == [255, 9]


def test_cmyk_and_ycbcr_become_colour(generator):
    image = Image.fromarray(noise(generator)).convert("CMYK")
    np.testing.assert_array_equal(
        decode_image(encoded(image, "TIFF")), np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    )
    assert decode_image(encoded(image, "JPEG"), size=(4, 4), channels=1).shape == (1, 4, 4)
    ycbcr = Image.fromarray(noise(generator)).convert("YCbCr")
    assert decode_image(encoded(ycbcr, "TIFF")).shape == (3, 9, 13)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(generator, orientation):
    image = Image.fromarray(noise(generator))
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("JPEG", "PNG"):
        file = encoded(image, kind, exif=exif)
        expected = np.asarray(ImageOps.exif_transpose(Image.open(file))).transpose(2, 0, 1)
        np.testing.assert_array_equal(decode_image(file), expected)
        assert measure(file) == (*expected.shape[1:], 3)


def test_a_png_is_measured_by_its_head_alone(generator):
    content = encoded(Image.fromarray(noise(generator, 200, 300))).getvalue()
    file = io.BytesIO(content)
    assert measure(file) == (200, 300, 3)
    assert file.tell() < 100
    cut = io.BytesIO(content[:60])
    assert measure(cut) == (200, 300, 3)
    with pytest.raises(DataError, match="the file is truncated"):
        decode_image(cut)


def test_of_several_frames_the_first_is_taken():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "green", "blue")]
    for kind in ("GIF", "WEBP", "TIFF", "PNG"):
        options = {"lossless": True} if kind == "WEBP" else {}
        file = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert decode_image(file, channels=3)[:, 0, 0].tolist() == [255, 0, 0]


def test_pad_crop_and_stretch():
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[:, :2] = 200
    file = encoded(Image.fromarray(pixels))
    padded = decode_image(file, size=(4, 4), fill=(1, 2, 3))
    assert padded[:, 0, 0].tolist() == [1, 2, 3]
    assert padded[0, 1:3].tolist() == [[200, 200, 0, 0]] * 2
    cropped = decode_image(file, size=(2, 2), fit="crop")
    assert cropped[0].tolist() == [[200, 0]] * 2
    assert decode_image(file, size=(4, 4), fit="stretch")[0, 0].tolist() == [200, 200, 0, 0]
    with pytest.raises(DataError, match="there is no fit 'tile'"):
        decode_image(file, size=(3, 3), fit="tile")
    with pytest.raises(DataError, match="fill of 2 values"):
        decode_image(file, size=(4, 4), fill=(1, 2))


def test_shrinking_averages_rather_than_picks():
    checks = np.indices((64, 64)).sum(0) % 2 * 255
    for kind in ("PNG", "JPEG"):
        file = encoded(Image.fromarray(checks.astype(np.uint8)), kind)
        assert np.abs(decode_image(file, size=(8, 8)).astype(int) - 127).max() < 12


def test_a_large_jpeg_is_drafted_to_nearly_what_full_decoding_gives():
    ramp = np.add.outer(np.arange(600), np.arange(800)) / 1400 * 255
    file = encoded(Image.fromarray(np.stack([ramp, 255 - ramp, ramp / 2], -1).astype(np.uint8)), "JPEG")
    drafted = decode_image(file, size=(60, 60), fit="crop").astype(int)
    whole = Image.open(file).convert("RGB").resize((60, 60), Image.Resampling.BICUBIC, box=(100, 0, 700, 600))
    assert np.abs(drafted - np.asarray(whole).transpose(2, 0, 1)).max() <= 4


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
def test_a_pixel_and_a_long_strip_fit_without_filling_the_memory(fit):
    for shape in ((1, 1), (1, 60_000), (60_000, 1)):
        file = encoded(Image.fromarray(np.full(shape, 9, np.uint8)))
        decoded = decode_image(file, size=(32, 32), fit=fit, fill=(9,))
        assert (decoded == 9).all()


def test_content_decides_not_the_name(tmp_path, generator):
    Image.fromarray(noise(generator)).save(tmp_path / "a.png", "JPEG")
    assert decode_image(tmp_path / "a.png").shape == (3, 9, 13)
    (tmp_path / "b.png").write_text("not an image")
    with pytest.raises(DataError, match="no image of a format that is read"):
        decode_image(tmp_path / "b.png")
    Image.fromarray(noise(generator)).save(tmp_path / "c.png", "PPM")
    with pytest.raises(DataError, match="PNG, JPEG, WEBP, BMP, TIFF, GIF"):
        decode_image(tmp_path / "c.png")


def test_empty_missing_and_truncated_files_say_so(tmp_path, generator):
    (tmp_path / "empty.png").touch()
    with pytest.raises(DataError, match="the file is empty"):
        decode_image(tmp_path / "empty.png")
    with pytest.raises(DataError, match="No such file"):
        decode_image(tmp_path / "missing.png")
    with pytest.raises(DataError, match="Is a directory"):
        decode_image(tmp_path)
    whole = encoded(Image.fromarray(noise(generator, 60, 60)), "JPEG").getvalue()
    with pytest.raises(DataError, match="the file is truncated"):
        decode_image(io.BytesIO(whole[: len(whole) // 2]))


def test_a_bomb_is_refused_by_its_head_without_a_warning():
    sizes = {(12_000, 9_000): "12000 x 9000 pixels", (50_000, 50_000): "100 million"}
    for (width, height), reason in sizes.items():
        head = bytearray(encoded(Image.new("1", (8, 8))).getvalue())
        head[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
        head[29:33] = zlib.crc32(head[12:29]).to_bytes(4, "big")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(DataError, match=reason):
                decode_image(io.BytesIO(bytes(head)))


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from(
        [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\0", b"RIFF0000WEBP"]
    ),
)
def test_random_bytes_raise_nothing_but_a_data_error(content, head):
    with pytest.raises(DataError):
        decode_image(io.BytesIO(head + content), size=(8, 8), channels=3)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"]), st.data())
def test_damaged_files_decode_or_raise_a_data_error(kind, data):
    content = bytearray(encoded(Image.radial_gradient("L").resize((16, 12)), kind).getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_image(io.BytesIO(bytes(content)), size=(8, 8), channels=1)
    except DataError:
        return
    assert decoded.shape == (1, 8, 8)


def test_warnings_are_as_before_after_threads_were_quiet_together():
    before = list(warnings.filters)
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        for _ in range(200):
            with quiet_pillow():
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
