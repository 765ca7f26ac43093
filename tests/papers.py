"""Reads papers and pictures as people and cameras see them."""

import re

import pypdfium2
import zxingcpp


def scanned(grey: bytes, width: int) -> list[str]:
    """Return the texts of the barcodes in a greyscale picture of one byte a pixel."""
    picture = memoryview(grey).cast("B", (len(grey) // width, width))
    return [barcode.text for barcode in zxingcpp.read_barcodes(picture)]


class Paper:
    """The first page of a PDF: its text, and the texts of its barcodes."""

    def __init__(self, content: bytes) -> None:
        pdf = pypdfium2.PdfDocument(content)
        self.pages = len(pdf)
        page = pdf[0]
        self.size = page.get_size()
        self.text = page.get_textpage().get_text_range()
        picture = page.render(scale=2, grayscale=True)
        self.codes = scanned(bytes(picture.buffer), picture.stride)
        # No dark pixel at the left and right edges: nothing extends beyond the page.
        rows = [
            bytes(picture.buffer)[at : at + picture.width]
            for at in range(0, len(bytes(picture.buffer)), picture.stride)
        ]
        self.is_clean_at_the_edges = min(min(row[0], row[-1]) for row in rows) > 250
        pdf.close()

    def says(self, *words: str) -> bool:
        """Return whether the page contains all the words, ignoring line breaks and doubled letters.

        Text extraction doubles some Thai letters with two marks in typst's PDFs; the print is right.
        """
        text = _plain(self.text)
        return all(_plain(word) in text for word in words)


def _plain(text: str) -> str:
    joined = re.sub("[\\s\u200b\ufffe\x02]", "", text)
    # A consonant with a vowel and a tone mark above it.
    return re.sub("([\u0e01-\u0e2e][\u0e31\u0e34-\u0e37][\u0e48-\u0e4b])\\1", r"\1", joined)
