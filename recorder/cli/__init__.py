"""The command line: `app` puts the commands together, each other file is one of them."""
