"""Files that the program makes: PDFs, pictures and spreadsheets.

The facts in them come from models; who may have them is decided there.
"""
