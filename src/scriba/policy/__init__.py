"""The policy decision point says whether a provider may serve a request.

Pure and total. Everything a verdict depends on is a value that can be stored, hashed and read back: the policy
(`rules`), the catalogue of provider facts with the providers configured here (`catalogue`), and the data file of models
(`models`). `engine.DecisionPoint` puts them together.
"""
