"""The one workflow engine: anything that somebody must decide by a date, with its clock and history."""
