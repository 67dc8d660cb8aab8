"""The routes of the admin API, one file for each noun."""
