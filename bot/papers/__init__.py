"""Makes files from facts: PDFs and pictures, laid out by the Typst templates in documents/, and spreadsheets.

The facts come from models, which also decides who may have them.
"""
