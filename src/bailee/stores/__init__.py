"""Stores: where tenant data lives (TOM 3.2, 5.3, 10.2).

The data map says what each collection holds; the vault keeps records and files, each encrypted under its data
subject's key, so that erasing a person is destroying one key.
"""
