"""The words of this project, as a table and as a check of the prose."""
