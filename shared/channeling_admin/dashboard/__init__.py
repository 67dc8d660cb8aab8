"""The dashboard: one page of static files, which speaks to the admin API as any other program does."""
