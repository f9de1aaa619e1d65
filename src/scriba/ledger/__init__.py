"""The ledger's formats: records and their bytes, hidden fields, keys, seals, receipts, verification.

Pure: nothing here reads a clock, a file or a database. The formats are version 1 and fixed for ever.
"""
