"""How the schema came to be, one step a file. Run by `scriba db migrate` and at every start."""
