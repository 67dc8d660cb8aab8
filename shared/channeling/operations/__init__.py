"""What an operator can do, one function for each; the command line and the admin API call the same ones."""
