"""Files that the program makes: PDFs, pictures and spreadsheets. PDFs and pictures are laid out in documents/, in
Typst.

The facts in them come from models; who may have them is decided there.
"""
