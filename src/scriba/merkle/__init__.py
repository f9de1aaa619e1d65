"""Merkle tree, proofs and signed notes: what an offline verifier needs, and nothing more.

Pure functions over bytes. Imports the standard library and, for Ed25519, `cryptography`.
"""
